"""Changes: the list, one change, and what people do to it. Every act works without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlmodel import Session

from governance.change import endings, questions
from governance.change.decide import Decided, decide
from governance.change.model import AS_ASKED, Asks, State
from governance.change.read import change_named
from governance.change.tables import ChangeRequest
from governance.db.session import reading, transaction
from governance.errors import BadInput, Conflict, Forbidden, GovernanceError
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal, allows
from governance.web.pages.frame import Posted, done, problem_of, show
from governance.web.queries import changes, reviews
from governance.web.reader import nodes_of, reader_of

router = APIRouter(include_in_schema=False)
CanSee = Annotated[Principal, Depends(requires(Permission.CHANGE_READ))]
CanReview = Annotated[Principal, Depends(requires(Permission.CHANGE_REVIEW))]
CanAsk = Annotated[Principal, Depends(requires(Permission.CHANGE_ASK))]
CanRevoke = Annotated[Principal, Depends(requires(Permission.CHANGE_REVOKE))]
Words = Annotated[str, Query(max_length=200)]
_HERE = "/changes"
_VERSION_MAX = 2**31 - 1


@router.get("/changes")
def list_page(
    request: Request,
    principal: CanSee,
    which: Annotated[str, Query(alias="show", max_length=20)] = "",
    state: Words = "",
    text: Words = "",
    before: Words = "",
) -> Response:
    """The changes that the reader may see."""
    del principal
    wanted = changes.Wanted(which, state, text.strip(), before)
    return show(request, "changes.html", _HERE, lambda session, reader: changes.change_list(session, reader, wanted))


@router.get("/changes/{name}")
def change_page(request: Request, name: str, principal: CanSee) -> Response:
    """One change."""
    del principal
    return show(request, "change.html", _HERE, lambda session, reader: changes.change_page(session, reader, name))


@router.post("/changes/{name}/review")
def review(request: Request, name: str, principal: CanReview, form: Posted) -> Response:
    """Approve, approve for less or until an earlier date, reject, or ask a question."""
    verdict = form.get("verdict", "")
    try:
        if verdict == "question":
            _ask(request, name, principal, form)
            return done(_path(name), "question")
        decided = _decide(request, name, principal, verdict, form)
    except (BadInput, Conflict) as error:
        return change_again(request, name, form, error)
    return done(_path(name), _what(decided))


@router.post("/changes/{name}/answer")
def answer(request: Request, name: str, principal: CanAsk, form: Posted) -> Response:
    """The requester answers a question."""
    try:
        with transaction(request.app.state.engine) as session:
            change = change_named(session, name)
            questions.answer(session, change.id, principal.person_id, form.get("note", ""), **_when(request))
    except (BadInput, Conflict) as error:
        return change_again(request, name, form, error)
    return done(_path(name), "answered")


@router.post("/changes/{name}/withdraw")
def withdraw(request: Request, name: str, principal: CanAsk, form: Posted) -> Response:
    """The requester takes the change back."""
    try:
        with transaction(request.app.state.engine) as session:
            change = change_named(session, name)
            endings.withdraw(session, change.id, principal.person_id, version_in(form), **_when(request))
    except Conflict as error:
        return change_again(request, name, form, error)
    return done(_path(name), "withdrawn")


@router.post("/changes/{name}/revoke")
def revoke(request: Request, name: str, principal: CanRevoke, form: Posted) -> Response:
    """Somebody who may takes an unused approval back."""
    try:
        with transaction(request.app.state.engine) as session:
            change = change_named(session, name)
            _check_revoke(session, change, principal)
            endings.revoke(
                session, change.id, principal.person_id, form.get("note", ""), version_in(form), **_when(request)
            )
    except (BadInput, Conflict) as error:
        return change_again(request, name, form, error)
    return done(_path(name), "revoked")


def _check_revoke(session: Session, change: ChangeRequest, principal: Principal) -> None:
    if not allows(principal, Permission.CHANGE_REVOKE, nodes_of(session).path_ids(change.project_id)):
        raise Forbidden(
            f"{principal.display_name} may not take this approval back.",
            remedy="Ask an approver or an administrator of the department.",
        )


def _decide(request: Request, name: str, principal: Principal, verdict: str, form: Mapping[str, str]) -> Decided:
    now = request.app.state.clock()
    if verdict not in {"approve", "approve-terms", "reject"}:
        raise BadInput("Choose what to do with it.", remedy="Approve, reject, or ask a question.")
    with transaction(request.app.state.engine) as session:
        change = change_named(session, name)
        asks = Asks.from_dict(change.asks)
        reader = reader_of(principal, now)
        terms = reviews.terms_of(asks, change, form, reader) if verdict == "approve-terms" else AS_ASKED
        return decide(
            session,
            change.id,
            principal.person_id,
            "reject" if verdict == "reject" else "approve",
            form.get("note", ""),
            terms,
            version_in(form),
            **_when(request),
        )


def _ask(request: Request, name: str, principal: Principal, form: Mapping[str, str]) -> None:
    with transaction(request.app.state.engine) as session:
        change = change_named(session, name)
        questions.ask(session, change.id, principal.person_id, form.get("note", ""), **_when(request))


def _when(request: Request) -> dict[str, Any]:
    return {"now": request.app.state.clock(), "request_id": request_id_of(request)}


def version_in(form: Mapping[str, str]) -> int:
    """The version of the change that the form was made for. Raises BadInput."""
    text = form.get("version", "")
    if not (text.isascii() and text.isdigit() and int(text[:11]) <= _VERSION_MAX):
        raise BadInput("The form does not say which state it was made for.", remedy="Open the page again.")
    return int(text)


def _what(decided: Decided) -> str:
    state = State(decided.change.state)
    if state is State.REJECTED:
        return "rejected"
    return "counted" if state is State.PENDING else "approved"


def _path(name: str) -> str:
    return f"/changes/{name.upper()}"


def change_again(request: Request, name: str, form: Mapping[str, str], error: GovernanceError) -> Response:
    """The page once more, with what was typed and what is wrong."""
    with reading(request.app.state.engine) as session:
        asks = Asks.from_dict(change_named(session, name).asks)
    problem = problem_of(error, _field(error.field or "", asks))
    fields = {key: value for key, value in form.items() if key.startswith("less-") or key == "until"}
    typed = reviews.Typed(form.get("note", ""), fields, (problem,))
    return show(
        request,
        "change.html",
        _HERE,
        lambda session, reader: changes.change_page(session, reader, name, typed),
        status=error.status,
    )


def _field(field: str, asks: Asks) -> str:
    """The form's field that an error of the use case means; empty for the form as a whole."""
    if field in {"note", "text"}:
        return "note"
    if field in {"until", "terms.until"}:
        return "until"
    resource = field.removeprefix("terms.ceiling.")
    if resource in reviews.rising(asks):
        return f"less-{reviews.rising(asks).index(resource)}"
    return "less-0" if field == "terms.ceiling" and reviews.rising(asks) else field if field[:5] == "less-" else ""
