"""Talking about a change before it is decided: a reviewer asks, the requester answers. Neither moves the version."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from governance.audit.log import record
from governance.change.circle import circle_of, reviewable
from governance.change.decide import check_note, lock_change
from governance.change.model import No, State, may_review, show_number
from governance.change.tables import ChangeRequest, Review
from governance.change.telling import tell
from governance.errors import BadInput, Conflict, Forbidden
from governance.identity.tables import Person
from governance.policy.model import Need


def ask(
    session: Session, change_id: UUID, person_id: UUID, text: str, now: datetime, *, request_id: str = ""
) -> ChangeRequest:
    """A reviewer asks the requester something.

    Raises:
        NotFound; Forbidden: this person may not review it; BadInput: no text, or too much.
    """
    change = lock_change(session, change_id)
    needs = [Need(**need) for need in change.rules]
    circle = circle_of(session, needs, change.requester_id, change.actor_id, now)
    allowed = may_review(reviewable(change, circle), person_id, now)
    if isinstance(allowed, No):
        raise Forbidden(allowed.reason)
    _say(session, change, person_id, "question", text, [change.requester_id], now, request_id)
    return change


def answer(
    session: Session, change_id: UUID, person_id: UUID, text: str, now: datetime, *, request_id: str = ""
) -> ChangeRequest:
    """The requester answers; whoever asked is told.

    Raises:
        NotFound; Forbidden: somebody else asked for it; Conflict: it is decided; BadInput: no text, or too much.
    """
    change = lock_change(session, change_id)
    if person_id != change.requester_id:
        raise Forbidden("Somebody else asked for this change, so only they can answer.")
    if change.state != State.PENDING:
        raise Conflict("This change is decided, so there is nothing left to answer.")
    asked = select(Review.person_id).where(Review.change_id == change_id, Review.verdict == "question").distinct()
    _say(session, change, person_id, "answer", text, list(session.exec(asked)), now, request_id)
    return change


def _say(
    session: Session,
    change: ChangeRequest,
    person_id: UUID,
    kind: str,
    text: str,
    receivers: list[UUID],
    now: datetime,
    request_id: str,
) -> None:
    text = text.strip()
    if not text:
        raise BadInput("There is nothing in it.", field="text", remedy="Write a sentence.")
    check_note(text)
    session.add(Review(change_id=change.id, person_id=person_id, verdict=kind, note=text, at=now))
    person = session.get_one(Person, person_id)
    record(
        session,
        person.name,
        f"change.{kind}",
        "change",
        show_number(change.number),
        text,
        request_id=request_id,
        at=now,
    )
    people = session.exec(select(Person).where(col(Person.id).in_(receivers)).order_by(Person.name)).all()
    tell(session, change, f"change.{kind}", people, now, {"who": person.display_name, "note": text})
