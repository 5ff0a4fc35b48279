"""Asking for a change: the link in a denial leads here. Looking makes nothing; sending does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from governance.admission.asking import decision_of, denial_of
from governance.change.model import show_number
from governance.change.submit import submit
from governance.db.session import transaction
from governance.errors import BadInput, Forbidden
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal, allows
from governance.web.pages.frame import Posted, done, problem_of, show
from governance.web.queries.asks import ask_page, decision_id_of, end_of
from governance.web.reader import reader_of

router = APIRouter(include_in_schema=False)
CanSee = Annotated[Principal, Depends(requires(Permission.DECISION_READ))]
CanAsk = Annotated[Principal, Depends(requires(Permission.CHANGE_ASK))]
_FIELDS = {"reason": "reason", "reference": "reference", "until": "until", "valid_until": "until"}


@router.get("/ask/{decision_id}")
def look(request: Request, decision_id: str, principal: CanSee) -> Response:
    """What was denied, and the form."""
    del principal
    return show(request, "ask.html", "/changes", lambda session, reader: ask_page(session, reader, decision_id))


@router.post("/ask/{decision_id}")
def send(request: Request, decision_id: str, principal: CanAsk, form: Posted) -> Response:
    """Make the change request."""
    try:
        name = _submit(request, decision_id, principal, form)
    except BadInput as error:
        return _again(request, decision_id, form, error)
    return done(f"/changes/{name}", "asked")


def _submit(request: Request, decision_id: str, principal: Principal, form: Mapping[str, str]) -> str:
    state = request.app.state
    now = state.clock()
    until = end_of(form.get("until", ""), reader_of(principal, now))
    with transaction(state.engine) as session:
        row = decision_of(session, decision_id_of(decision_id))
        if row.person_id != principal.person_id and not allows(principal, Permission.CHANGE_ASK, row.path):
            raise Forbidden("Only its requester, or somebody of the project, can ask for this.", field="decision")
        change = submit(
            session,
            denial_of(session, row),
            principal.person_id,
            form.get("reason", ""),
            form.get("reference", ""),
            None,
            until,
            now,
            request_id=request_id_of(request),
        )
        return show_number(change.number)


def _again(request: Request, decision_id: str, form: Mapping[str, str], error: BadInput) -> Response:
    """The page once more, with what was typed and what is wrong."""
    problem = problem_of(error, _FIELDS.get(error.field or "", ""))
    return show(
        request,
        "ask.html",
        "/changes",
        lambda session, reader: ask_page(
            session,
            reader,
            decision_id,
            reason=form.get("reason", ""),
            reference=form.get("reference", ""),
            until=form.get("until", ""),
            problems=(problem,),
        ),
        status=error.status,
    )
