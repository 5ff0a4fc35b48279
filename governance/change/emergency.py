"""Break-glass: act first, answer for it afterwards.

Whoever may (`change:break-glass`, checked by the caller) opens a grant without waiting for anybody, for a few hours,
naming an incident. Everybody who was skipped is told at once. A review by one of them is due within 48 hours; while one
is overdue, neither its requester nor its project can do this again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from governance.audit.log import record
from governance.change.circle import circle_of, reviewable
from governance.change.decide import check_note, check_version, lock_change, move
from governance.change.grants import grant_for
from governance.change.model import AS_ASKED, Clocks, Denial, No, State, Step, may_review_afterwards, show_number
from governance.change.submit import check_words, lock_numbers, needs_of, new_change, open_change, record_submission
from governance.change.tables import ChangeRequest, Grant, Review
from governance.change.telling import tell
from governance.errors import BadInput, Conflict, Forbidden
from governance.identity.tables import Person
from governance.policy.model import Need

HOURS_MAX = 12
REVIEW_WITHIN = timedelta(hours=48)


def break_glass(
    session: Session,
    denial: Denial,
    person_id: UUID,
    reason: str,
    incident: str,
    hours: int,
    now: datetime,
    *,
    request_id: str = "",
) -> tuple[ChangeRequest, Grant]:
    """Make a change of kind emergency that nobody had to approve, and its grant. A pending one is superseded.

    Raises:
        BadInput: no reason, no incident, a time that is too long, or a denial that no exception answers.
        Conflict: the same change is approved already, or a review of an earlier emergency is overdue.
    """
    reason, incident = check_words(reason, incident)
    if not incident:
        raise BadInput("Name the incident.", field="incident", remedy="Open one, and give its number here.")
    if not 1 <= hours <= HOURS_MAX:
        raise BadInput(f"An emergency lasts 1 to {HOURS_MAX} hours.", field="hours", remedy="Choose fewer hours.")
    if not denial.askable:
        raise BadInput("This denial cannot be answered by an exception.", field="decision")
    lock_numbers(session)
    _check_none_overdue(session, denial.project_id, person_id, now)
    _supersede_pending(session, denial, person_id, now)
    needs = needs_of(session, denial)
    until = now + timedelta(hours=hours)
    change = new_change(session, denial, person_id, reason, incident, Clocks(now, now, until), needs, now)
    change.kind, change.state, change.decided_at = "emergency", State.APPROVED, now
    change.review_due_at = now + REVIEW_WITHIN
    grant = grant_for(change, AS_ASKED)
    session.add(grant)
    session.flush()
    circle = circle_of(session, needs, person_id, denial.actor_id, now)
    skipped = sorted(person.name for person in circle.people.values())
    record_submission(session, change, "change.break_glass", now, request_id, {"skipped": skipped})
    tell(
        session,
        change,
        "change.emergency",
        circle.people.values(),
        now,
        {"review_due_at": change.review_due_at.isoformat()},
    )
    return change, grant


def review_emergency(
    session: Session,
    change_id: UUID,
    person_id: UUID,
    note: str,
    expected_version: int,
    now: datetime,
    *,
    request_id: str = "",
) -> ChangeRequest:
    """The review after an emergency: one of those who were skipped says what they make of it, and closes it.

    Raises:
        NotFound, StaleVersion; BadInput: no note; Forbidden: this person was not skipped, or asked themselves, or there
        is nothing to review yet, or any more.
    """
    change = lock_change(session, change_id)
    check_version(change, expected_version)
    note = note.strip()
    if not note:
        raise BadInput("Say what you make of it.", field="note", remedy="One sentence is enough.")
    check_note(note)
    needs = [Need(**need) for need in change.rules]
    circle = circle_of(session, needs, change.requester_id, change.actor_id, now)
    allowed = may_review_afterwards(reviewable(change, circle), person_id)
    if isinstance(allowed, No):
        raise Forbidden(allowed.reason)
    before = change.state
    move(session, change, Step.REVIEW)
    session.add(Review(change_id=change_id, person_id=person_id, verdict="review", note=note, at=now))
    person = session.get_one(Person, person_id)
    record(
        session,
        person.name,
        "change.review",
        "change",
        show_number(change.number),
        note,
        before={"state": before},
        after={"state": change.state},
        request_id=request_id,
        at=now,
    )
    requester = session.get_one(Person, change.requester_id)
    tell(session, change, "change.review", [requester], now, {"who": person.display_name, "note": note})
    return change


def overdue_reviews(session: Session, now: datetime) -> list[ChangeRequest]:
    """Emergencies whose review is overdue, the oldest first."""
    query = select(ChangeRequest).where(
        ChangeRequest.kind == "emergency",
        ChangeRequest.state != State.CLOSED,
        col(ChangeRequest.review_due_at) <= now,
    )
    return list(session.exec(query.order_by(col(ChangeRequest.number))))


def overdue_before(session: Session, project_id: UUID, person_id: UUID, now: datetime) -> ChangeRequest | None:
    """The earlier emergency whose overdue review keeps this person, or this project, from the next one."""
    theirs = (
        one for one in overdue_reviews(session, now) if one.project_id == project_id or one.requester_id == person_id
    )
    return next(theirs, None)


def _check_none_overdue(session: Session, project_id: UUID, person_id: UUID, now: datetime) -> None:
    overdue = overdue_before(session, project_id, person_id, now)
    if overdue is not None:
        raise Conflict(
            f"The review of {show_number(overdue.number)}, an earlier emergency, is overdue.",
            remedy="Have it reviewed first, or ask for a change in the ordinary way.",
        )


def _supersede_pending(session: Session, denial: Denial, person_id: UUID, now: datetime) -> None:
    existing = open_change(session, denial.digest)
    if existing is None:
        return
    change = lock_change(session, existing.id)
    if change.state != State.PENDING:
        raise Conflict(
            f"{show_number(change.number)} gives this already.", remedy="Repeat the request that was denied."
        )
    move(session, change, Step.SUPERSEDE, open_digest=None, decided_at=now)
    record(
        session,
        session.get_one(Person, person_id).name,
        "change.supersede",
        "change",
        show_number(change.number),
        "An emergency does not wait for its decision.",
        before={"state": State.PENDING},
        after={"state": State.SUPERSEDED},
        at=now,
    )
    if change.requester_id != person_id:
        tell(session, change, "change.superseded", [session.get_one(Person, change.requester_id)], now)
