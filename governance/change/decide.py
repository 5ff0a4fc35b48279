"""One person's say on a change. The page, the API, the CLI and chat all call this `decide`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import Session, col, select

from governance.audit.log import record
from governance.change.circle import circle_of, reviewable
from governance.change.grants import grant_for
from governance.change.model import (
    AS_ASKED,
    REASON_LENGTH_MAX,
    STATE_WORDS,
    Asks,
    No,
    State,
    Step,
    Terms,
    Verdict,
    check_terms,
    may_review,
    next_state,
    show_number,
    tightest,
)
from governance.change.tables import ChangeRequest, Grant, Review
from governance.change.tally import ReviewValue, Tally, newest, tally
from governance.change.telling import tell
from governance.errors import BadInput, Conflict, Forbidden, NotFound, StaleVersion
from governance.identity.tables import Person
from governance.policy.model import Need

_TOPICS = {
    State.PENDING: "change.reviewed",
    State.APPROVED: "change.approved",
    State.SCHEDULED: "change.approved",
    State.REJECTED: "change.rejected",
}


@dataclass(frozen=True, slots=True)
class Decided:
    """The change as it stands now. `grant`: made by this approval."""

    change: ChangeRequest
    grant: Grant | None = None


def decide(
    session: Session,
    change_id: UUID,
    person_id: UUID,
    verdict: Verdict,
    note: str,
    terms: Terms,
    expected_version: int,
    now: datetime,
    *,
    request_id: str = "",
) -> Decided:
    """Approve or reject a change: a review, the state that follows, audit event and messages, in one transaction.

    The approval that completes what is needed makes the grant, on the tightest terms of those who count. Saying the
    same again changes nothing and answers what stands.

    Args:
        note: required to reject.
        terms: for less, or until an earlier date; AS_ASKED otherwise, and when rejecting.
        expected_version: of the change that the person saw.

    Raises:
        NotFound: no such change.
        StaleVersion: somebody else was first.
        Forbidden: this person may not decide it; the detail says why.
        BadInput: a rejection without a note, a note that is too long, or terms that are not a part of what was asked.
    """
    change = lock_change(session, change_id)
    reviews = reviews_of(session, change_id)
    note = note.strip()
    before = newest(reviews).get(person_id)
    if before is not None and (before.verdict, before.terms) == (verdict, terms):
        return Decided(change)  # said already
    check_version(change, expected_version)
    needs = [Need(**need) for need in change.rules]
    circle = circle_of(session, needs, change.requester_id, change.actor_id, now)
    allowed = may_review(reviewable(change, circle), person_id, now)
    if isinstance(allowed, No):
        raise Forbidden(allowed.reason)
    _check_review(change, verdict, note, terms, now)
    review = ReviewValue(person_id, verdict, now, note, terms)
    session.add(
        Review(change_id=change_id, person_id=person_id, verdict=verdict, note=note, terms=terms.as_dict(), at=now)
    )
    standing = tally(needs, [*reviews, review], circle.members, circle.stands_in)
    grant = _conclude(session, change, standing, [*reviews, review], now)
    _record(session, change, review, grant, request_id)
    _tell(session, change, review, grant)
    return Decided(change, grant)


def lock_change(session: Session, change_id: UUID) -> ChangeRequest:
    """The change as it stands, locked until the transaction ends. Raises NotFound."""
    query = select(ChangeRequest).where(ChangeRequest.id == change_id).with_for_update()
    change = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if change is None:
        raise NotFound("There is no such change.", field="change")
    return change


def check_version(change: ChangeRequest, expected_version: int) -> None:
    """Raises StaleVersion if the change is not the one that the person saw."""
    if change.version != expected_version:
        raise StaleVersion(
            f"Somebody else was first: {show_number(change.number)} is {STATE_WORDS[State(change.state)]} now.",
            field="version",
            remedy="Look at it as it stands, and decide again if it is still open.",
        )


def reviews_of(session: Session, change_id: UUID) -> list[ReviewValue]:
    """Everything that was said on a change, oldest first."""
    rows = session.exec(select(Review).where(Review.change_id == change_id).order_by(col(Review.at), col(Review.id)))
    return [
        ReviewValue(row.person_id, row.verdict, row.at, row.note, Terms.from_dict(row.terms))  # type: ignore[arg-type]  # our own rows
        for row in rows
    ]


def move(session: Session, change: ChangeRequest, step: Step, **values: Any) -> None:  # noqa: ANN401
    """Write the state that the step leads to, and the version after the one that was read.

    Raises:
        Conflict: the step is not possible from this state.
        StaleVersion: somebody else wrote first.
    """
    target = next_state(State(change.state), step, change.kind)
    if target is None:
        state = STATE_WORDS[State(change.state)]
        raise Conflict(f"{show_number(change.number)} is {state}: to {step.replace('_', ' ')} it is not possible.")
    session.flush()
    expected = change.version
    written = session.exec(
        update(ChangeRequest)
        .where(col(ChangeRequest.id) == change.id, col(ChangeRequest.version) == expected)
        .values(state=target, version=expected + 1, **values)
    )
    if written.rowcount != 1:
        check_version(lock_change(session, change.id), expected)
    session.refresh(change)


def _check_review(change: ChangeRequest, verdict: Verdict, note: str, terms: Terms, now: datetime) -> None:
    if verdict == "reject" and not note:
        raise BadInput("Say why you reject this.", field="note", remedy="One sentence is enough.")
    check_note(note)
    if terms == AS_ASKED:
        return
    if verdict == "reject":
        raise BadInput("A rejection has no terms.", field="terms", remedy="Leave them out, or approve on these terms.")
    check_terms(terms, Asks.from_dict(change.asks), change.valid_from, change.valid_until, now)


def check_note(note: str) -> None:
    """Raises BadInput for a note that is too long, or that cannot be stored."""
    if len(note) > REASON_LENGTH_MAX or "\x00" in note:
        raise BadInput(
            "This note is too long or holds a NUL.", field="note", remedy=f"Use up to {REASON_LENGTH_MAX} characters."
        )


def _conclude(
    session: Session, change: ChangeRequest, standing: Tally, reviews: Sequence[ReviewValue], now: datetime
) -> Grant | None:
    if standing.rejected:
        move(session, change, Step.REJECT, decided_at=now, open_digest=None)
        return None
    if not standing.satisfied:
        _raise_version(session, change)
        return None
    said = newest(reviews)
    grant = grant_for(change, tightest([said[person].terms for person in sorted(standing.counted)]))
    move(session, change, Step.APPROVE, decided_at=now)
    if change.valid_from > now:
        move(session, change, Step.SCHEDULE)
    session.add(grant)
    session.flush()
    return grant


def _raise_version(session: Session, change: ChangeRequest) -> None:
    change.version += 1
    session.add(change)
    session.flush()


def _record(session: Session, change: ChangeRequest, review: ReviewValue, grant: Grant | None, request_id: str) -> None:
    after: dict[str, Any] = {"state": change.state, "version": change.version, "terms": review.terms.as_dict()}
    if grant is not None:
        after["grant"] = {
            "id": str(grant.id),
            "ceiling": grant.ceiling,
            "allowances": grant.allowances,
            "waives": grant.waives,
            "valid_from": grant.valid_from,
            "valid_until": grant.valid_until,
        }
    record(
        session,
        session.get_one(Person, review.person_id).name,
        f"change.{review.verdict}",
        "change",
        show_number(change.number),
        review.note,
        before={"state": State.PENDING},
        after=after,
        request_id=request_id,
        at=review.at,
    )


def _tell(session: Session, change: ChangeRequest, review: ReviewValue, grant: Grant | None) -> None:
    more: dict[str, Any] = {
        "who": session.get_one(Person, review.person_id).display_name,
        "verdict": review.verdict,
        "note": review.note,
    }
    if grant is not None:
        more |= {"valid_until": grant.valid_until.isoformat(), "ceiling": grant.ceiling}
    requester = [session.get_one(Person, change.requester_id)]
    tell(session, change, _TOPICS[State(change.state)], requester, review.at, more)
