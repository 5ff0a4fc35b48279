"""How a change request is shown to programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session, col, select

from governance.change.model import Asks, No, State, show_number
from governance.change.read import Standing, standing_of
from governance.change.tables import ChangeRequest
from governance.change.tally import NeedCount
from governance.identity.model import Principal
from governance.identity.tables import Person


class NeedShown(BaseModel):
    """An approval that is needed, how many people gave it, and who could."""

    rule: str
    group: str
    minimum: int
    approvals: list[str]
    missing: int
    could_approve: list[str]


class ReviewShown(BaseModel):
    """What a person said."""

    person: str
    verdict: str
    note: str
    at: datetime
    terms: dict[str, Any] | None


class GrantShown(BaseModel):
    """The right that an approval gave. `ceiling`: approved for less, the footprint after may be at most this."""

    id: UUID
    state: str
    ceiling: dict[str, int] | None
    valid_from: datetime
    valid_until: datetime
    used_at: datetime | None


class ChangeShown(BaseModel):
    """A change request in a list."""

    number: str
    kind: str
    state: str
    version: int
    what: str
    requester: str
    reason: str
    reference: str
    created_at: datetime
    decide_by: datetime
    valid_from: datetime
    valid_until: datetime
    review_due_at: datetime | None


class ChangeExplained(ChangeShown):
    """A change request with everything that its approvers see."""

    decision_id: UUID
    actor: str
    target: str
    before: dict[str, str]
    after: dict[str, str]
    quota: list[dict[str, Any]]
    denied_because: list[str]
    needs: list[NeedShown]
    reviews: list[ReviewShown]
    grant: GrantShown | None
    may_review: bool
    may_not_review_because: str


def shown(change: ChangeRequest, requester: str) -> ChangeShown:
    """A change as it stands in a list."""
    return ChangeShown(**_common(change, requester))


def explained(session: Session, change: ChangeRequest, principal: Principal, now: datetime) -> ChangeExplained:
    """A change with everything that its approvers see, as this person sees it."""
    asks, standing = Asks.from_dict(change.asks), standing_of(session, change, now)
    afterwards = change.state == State.POST_REVIEW
    who = principal.person_id
    allowed = standing.may_review_afterwards(who) if afterwards else standing.may_review(who, now)
    said = {one.person_id for one in standing.reviews}
    names = _names(session, said | standing.circle.people.keys() | {change.requester_id})
    grant = standing.grant
    return ChangeExplained(
        **_common(change, names[change.requester_id]),
        decision_id=change.decision_id,
        actor=change.actor,
        target=change.target,
        before=asks.before.quantities(),
        after=asks.after.quantities(),
        quota=[{name: getattr(row, name) for name in type(row).__slots__} for row in asks.quota],
        denied_because=list(asks.denied_because),
        needs=[_need(count, standing, names) for count in standing.tally.counts],
        reviews=[
            ReviewShown(
                person=names[one.person_id], verdict=one.verdict, note=one.note, at=one.at, terms=one.terms.as_dict()
            )
            for one in standing.reviews
        ],
        grant=GrantShown(**{name: getattr(grant, name) for name in GrantShown.model_fields}) if grant else None,
        may_review=not isinstance(allowed, No),
        may_not_review_because=allowed.reason if isinstance(allowed, No) else "",
    )


def _common(change: ChangeRequest, requester: str) -> dict[str, Any]:
    given = {"number": show_number(change.number), "what": Asks.from_dict(change.asks).what, "requester": requester}
    return {name: given[name] if name in given else getattr(change, name) for name in ChangeShown.model_fields}


def _need(count: NeedCount, standing: Standing, names: dict[UUID, str]) -> NeedShown:
    return NeedShown(
        rule=count.need.rule,
        group=count.need.group,
        minimum=count.need.minimum,
        approvals=[names[one] for one in count.approvals],
        missing=max(0, count.missing),
        could_approve=sorted(names[one] for one in standing.can_decide(count.need.group)),
    )


def _names(session: Session, people: set[UUID]) -> dict[UUID, str]:
    rows = session.exec(select(Person.id, Person.display_name).where(col(Person.id).in_(people)))
    return dict(rows.all())
