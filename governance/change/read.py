"""Reading changes: one by its name, how it stands, what waits for somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from governance.change.circle import Circle, circle_of, reviewable
from governance.change.decide import reviews_of
from governance.change.model import No, State, Yes, may_review, may_review_afterwards, parse_number
from governance.change.tables import ChangeRequest, Grant
from governance.change.tally import ReviewValue, Tally, tally
from governance.errors import NotFound
from governance.policy.model import Need


@dataclass(frozen=True, slots=True)
class Standing:
    """How a change stands: what was said, what counts, who can still decide."""

    change: ChangeRequest
    reviews: tuple[ReviewValue, ...]
    tally: Tally
    circle: Circle
    grant: Grant | None

    def may_review(self, person_id: UUID, now: datetime) -> Yes | No:
        """Whether this person may decide it now, or the sentence that says why not."""
        return may_review(reviewable(self.change, self.circle), person_id, now)

    def may_review_afterwards(self, person_id: UUID) -> Yes | No:
        """Whether this person may review this emergency now, or the sentence that says why not."""
        return may_review_afterwards(reviewable(self.change, self.circle), person_id)

    def speaks(self, person_id: UUID) -> bool:
        """Whether this person may speak for a group that is needed, or stands in for somebody who may."""
        return any(person_id in those for those in self.circle.speaking().values())

    def can_decide(self, group: str) -> frozenset[UUID]:
        """Who can speak for a group and has not decided yet."""
        return self.circle.speaking().get(group, frozenset()) - self.tally.counted


def change_named(session: Session, reference: str) -> ChangeRequest:
    """By `CH-1042`, or by id. Raises NotFound."""
    number = parse_number(reference)
    if number is not None:
        found = session.exec(select(ChangeRequest).where(ChangeRequest.number == number)).one_or_none()
    else:
        try:
            found = session.get(ChangeRequest, UUID(reference))
        except ValueError:
            found = None
    if found is None:
        raise NotFound(f"There is no change {reference[:64]}.", field="change", remedy="Write it like CH-1042.")
    return found


def standing_of(session: Session, change: ChangeRequest, now: datetime) -> Standing:
    """How a change stands now. Once it is decided, the count is that of today's groups: the grant is what holds."""
    needs = [Need(**need) for need in change.rules]
    reviews = reviews_of(session, change.id)
    circle = circle_of(session, needs, change.requester_id, change.actor_id, now)
    grant = session.exec(select(Grant).where(Grant.change_id == change.id)).one_or_none()
    counted = tally(needs, reviews, circle.members, circle.stands_in)
    return Standing(change, tuple(reviews), counted, circle, grant)


def waiting_for(session: Session, person_id: UUID, now: datetime) -> list[Standing]:
    """What this person may decide and has not, the most urgent first. Reads every pending change: they are few."""
    query = select(ChangeRequest).where(ChangeRequest.state == State.PENDING, ChangeRequest.decide_by > now)
    pending = session.exec(query.order_by(col(ChangeRequest.decide_by), col(ChangeRequest.number)))
    return [
        standing
        for standing in (standing_of(session, change, now) for change in pending)
        if isinstance(standing.may_review(person_id, now), Yes)
        and not any(one.person_id == person_id and one.verdict == "approve" for one in standing.reviews)
    ]


def reviews_waiting_for(session: Session, person_id: UUID, now: datetime) -> list[Standing]:
    """The emergencies that this person may review now, those first whose review is due first."""
    query = select(ChangeRequest).where(ChangeRequest.state == State.POST_REVIEW)
    ended = session.exec(query.order_by(col(ChangeRequest.review_due_at), col(ChangeRequest.number)))
    return [
        standing
        for standing in (standing_of(session, change, now) for change in ended)
        if isinstance(standing.may_review_afterwards(person_id), Yes)
    ]


def asked_by(session: Session, person_id: UUID, limit: int = 20) -> list[ChangeRequest]:
    """What this person asked for, the newest first."""
    query = select(ChangeRequest).where(ChangeRequest.requester_id == person_id)
    return list(session.exec(query.order_by(col(ChangeRequest.number).desc()).limit(limit)))
