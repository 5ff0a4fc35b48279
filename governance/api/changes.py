"""Change requests: ask for one, see it, decide it, end it. The same use cases as the pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from governance.admission.asking import decision_of, denial_of
from governance.api.change_shapes import ChangeExplained, ChangeShown, explained, shown
from governance.api.pages import Limit, NumberCursor, Page, page_of, read_number
from governance.api.visible import nodes_under
from governance.api.words import Incident, Quantity, Reference, Sentence, Words
from governance.change import endings, questions
from governance.change.decide import decide
from governance.change.emergency import break_glass, review_emergency
from governance.change.model import Asks, Denial, Terms, Verdict
from governance.change.read import change_named, standing_of
from governance.change.submit import submit
from governance.change.tables import ChangeRequest
from governance.change.visible import may_see, visible
from governance.db.session import reading, transaction
from governance.errors import Forbidden, NotFound
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal, allows
from governance.identity.organisation import path_ids
from governance.identity.tables import Person
from governance.units import amount

router = APIRouter(tags=["changes"])

Reader = Annotated[Principal, Depends(requires(Permission.CHANGE_READ))]
Requester = Annotated[Principal, Depends(requires(Permission.CHANGE_ASK))]
Reviewer = Annotated[Principal, Depends(requires(Permission.CHANGE_REVIEW))]
Revoker = Annotated[Principal, Depends(requires(Permission.CHANGE_REVOKE))]
BreakGlass = Annotated[Principal, Depends(requires(Permission.CHANGE_BREAK_GLASS))]
Number = Annotated[str, Path(pattern="^(?:CH-)?[1-9][0-9]{0,8}$", description="As people write it: CH-1042.")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1, description="Of the change that the person saw.")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Wish(_Body):
    """What a denied requester asks for. `decision_id` stands in the link of the denial."""

    decision_id: UUID
    reason: Sentence
    reference: Reference = ""
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime


class ApprovalGiven(_Body):
    """An approval as asked, for less (`at_most`, quantities by resource), or until an earlier date."""

    version: Version
    note: Words = ""
    at_most: Annotated[dict[str, Quantity], Field(max_length=50)] = {}
    until: AwareDatetime | None = None


class Judgement(_Body):
    """What must be said for a change to end so, by somebody who saw this version of it."""

    version: Version
    note: Sentence


class Said(_Body):
    """A note on a change, by somebody who saw this version of it."""

    version: Version
    note: Words = ""


class Question(_Body):
    """A question to the requester, or the answer to one."""

    text: Sentence


class Emergency(_Body):
    """Act first, answer afterwards: everybody who was skipped is told, and a review is due."""

    decision_id: UUID
    reason: Sentence
    incident: Incident
    hours: Annotated[int, Field(ge=1, le=168)]


@router.get("/changes")
def list_changes(
    request: Request,
    principal: Reader,
    state: Annotated[str | None, Query(max_length=20, description="pending, approved, ...")] = None,
    mine: Annotated[bool, Query(description="Only those that the caller asked for.")] = False,
    cursor: NumberCursor = "",
    limit: Limit = 50,
) -> Page[ChangeShown]:
    """Changes that the caller may see, the newest first."""
    query = select(ChangeRequest, Person.display_name).join(Person, col(Person.id) == col(ChangeRequest.requester_id))
    if state is not None:
        query = query.where(ChangeRequest.state == state)
    if mine:
        query = query.where(ChangeRequest.requester_id == principal.person_id)
    before = read_number(cursor)
    if before is not None:
        query = query.where(col(ChangeRequest.number) < before)
    with reading(request.app.state.engine) as session:
        nodes = nodes_under(session, principal, Permission.CHANGE_READ)
        query = query.where(visible(session, principal, nodes, request.app.state.clock()))
        rows = session.exec(query.order_by(col(ChangeRequest.number).desc()).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: str(row[0].number), lambda row: shown(*row))


@router.post("/changes", status_code=201)
def ask(request: Request, body: Wish, principal: Requester) -> ChangeExplained:
    """Ask for the change that was denied. Asking again for the same answers the change that is open."""
    state = request.app.state
    with transaction(state.engine) as session:
        change = submit(
            session,
            _denial(session, body.decision_id, principal),
            principal.person_id,
            body.reason,
            body.reference,
            body.valid_from,
            body.valid_until,
            state.clock(),
            request_id=request_id_of(request),
        )
        return explained(session, change, principal, state.clock())


@router.post("/emergencies", status_code=201)
def emergency(request: Request, body: Emergency, principal: BreakGlass) -> ChangeExplained:
    """Break the glass: a grant at once, that nobody had to approve."""
    state = request.app.state
    now = state.clock()
    with transaction(state.engine) as session:
        denial = _denial(session, body.decision_id, principal)
        _require_at(session, denial.project_id, principal, Permission.CHANGE_BREAK_GLASS)
        change, _ = break_glass(
            session,
            denial,
            principal.person_id,
            body.reason,
            body.incident,
            body.hours,
            now,
            request_id=request_id_of(request),
        )
        return explained(session, change, principal, now)


@router.get("/changes/{number}")
def show(request: Request, number: Number, principal: Reader) -> ChangeExplained:
    """One change with what it asks for, whose approval it needs, and who said what."""
    state = request.app.state
    with reading(state.engine) as session:
        now = state.clock()
        return explained(session, _change(session, number, principal, now), principal, now)


@router.post("/changes/{number}/approve")
def approve(request: Request, number: Number, body: ApprovalGiven, principal: Reviewer) -> ChangeExplained:
    """Approve: as asked, for less, or until an earlier date."""
    at_most = {name: amount(name, text, field=f"at_most.{name}") for name, text in body.at_most.items()}
    return _decide(request, number, principal, "approve", body.note, body.version, at_most, body.until)


@router.post("/changes/{number}/reject")
def reject(request: Request, number: Number, body: Judgement, principal: Reviewer) -> ChangeExplained:
    """Reject, with the reason."""
    return _decide(request, number, principal, "reject", body.note, body.version)


@router.post("/changes/{number}/withdraw")
def withdraw(request: Request, number: Number, body: Said, principal: Requester) -> ChangeExplained:
    """Take back what one asked for, as long as it is not used."""
    with _at(request, number, principal) as (session, change, now):
        endings.withdraw(
            session,
            change.id,
            principal.person_id,
            body.version,
            now,
            note=body.note,
            request_id=request_id_of(request),
        )
        return explained(session, change, principal, now)


@router.post("/changes/{number}/revoke")
def revoke(request: Request, number: Number, body: Judgement, principal: Revoker) -> ChangeExplained:
    """Take back a grant that is not used yet, with the reason."""
    with _at(request, number, principal) as (session, change, now):
        _require_at(session, change.project_id, principal, Permission.CHANGE_REVOKE)
        request_id = request_id_of(request)
        endings.revoke(session, change.id, principal.person_id, body.note, body.version, now, request_id=request_id)
        return explained(session, change, principal, now)


@router.post("/changes/{number}/question")
def question(request: Request, number: Number, body: Question, principal: Reviewer) -> ChangeExplained:
    """Ask the requester something."""
    with _at(request, number, principal) as (session, change, now):
        questions.ask(session, change.id, principal.person_id, body.text, now, request_id=request_id_of(request))
        return explained(session, change, principal, now)


@router.post("/changes/{number}/answer")
def answer(request: Request, number: Number, body: Question, principal: Requester) -> ChangeExplained:
    """Answer a question."""
    with _at(request, number, principal) as (session, change, now):
        questions.answer(session, change.id, principal.person_id, body.text, now, request_id=request_id_of(request))
        return explained(session, change, principal, now)


@router.post("/changes/{number}/review")
def review(request: Request, number: Number, body: Judgement, principal: Reviewer) -> ChangeExplained:
    """Say, after an emergency, what one makes of it."""
    with _at(request, number, principal) as (session, change, now):
        request_id = request_id_of(request)
        review_emergency(session, change.id, principal.person_id, body.note, body.version, now, request_id=request_id)
        return explained(session, change, principal, now)


@contextmanager
def _at(request: Request, number: str, principal: Principal) -> Iterator[tuple[Session, ChangeRequest, datetime]]:
    """A transaction around a change that the caller may see; it is committed before the answer leaves."""
    state = request.app.state
    now = state.clock()
    with transaction(state.engine) as session:
        yield session, _change(session, number, principal, now), now


def _decide(
    request: Request,
    number: str,
    principal: Principal,
    verdict: Verdict,
    note: str,
    version: int,
    at_most: dict[str, int] | None = None,
    until: datetime | None = None,
) -> ChangeExplained:
    with _at(request, number, principal) as (session, change, now):
        terms = Terms.at_most(Asks.from_dict(change.asks), at_most or {}, until)
        request_id = request_id_of(request)
        decide(session, change.id, principal.person_id, verdict, note, terms, version, now, request_id=request_id)
        return explained(session, change, principal, now)


def _require_at(session: Session, project_id: UUID, principal: Principal, permission: Permission) -> None:
    if not allows(principal, permission, path_ids(session, project_id)):
        raise Forbidden(f"{principal.display_name} may not do this for this project: {permission.doc}")


def _denial(session: Session, decision_id: UUID, principal: Principal) -> Denial:
    row = decision_of(session, decision_id)
    asked_themselves = row.person_id == principal.person_id
    if not asked_themselves and row.project_id not in nodes_under(session, principal, Permission.CHANGE_ASK):
        raise Forbidden("Only its requester, or somebody of the project, can ask for this.", field="decision_id")
    return denial_of(session, row)


def _change(session: Session, number: str, principal: Principal, now: datetime) -> ChangeRequest:
    """The change, if the caller may see it; one that they may not see is answered as one that is not there."""
    change = change_named(session, number if number.upper().startswith("CH-") else f"CH-{number}")
    nodes = nodes_under(session, principal, Permission.CHANGE_READ)
    if not may_see(standing_of(session, change, now), principal, nodes):
        raise NotFound(f"There is no change {number}.", field="change", remedy="Write it like CH-1042.")
    return change
