"""A change request: what is asked, its states, its three clocks, who may review it. Pure.

    draft -> pending -> approved -> scheduled -> in use -> post review -> closed
    ends: rejected, withdrawn, expired, superseded, revoked, failed

`scheduled` is approved with a window that has not begun. `post review` is for emergencies alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Self
from uuid import UUID

from governance.errors import BadInput
from governance.policy.model import Need
from governance.units import EMPTY, ResourceList
from governance.wording import group_title, listed

REASON_LENGTH_MAX = 2000
REFERENCE_LENGTH_MAX = 200
WINDOW_MAX = timedelta(days=366)
DECIDE_WITHIN = timedelta(days=3)

Verdict = Literal["approve", "reject"]
Kind = Literal["standard", "normal", "emergency"]


class State(StrEnum):
    DRAFT = "draft"
    PENDING = "pending"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    IN_USE = "in_use"
    POST_REVIEW = "post_review"
    CLOSED = "closed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"
    FAILED = "failed"


class Step(StrEnum):
    """What moves a change from one state to the next."""

    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    SUPERSEDE = "supersede"
    SCHEDULE = "schedule"  # the window has not begun
    REVOKE = "revoke"
    EXPIRE = "expire"  # nobody decided in time, or nobody used it in time
    USE = "use"  # an admission consumed the grant
    GIVE_BACK = "give_back"  # what was admitted never came to be
    FAIL = "fail"  # the same, and the window is over
    FINISH = "finish"  # what was admitted was seen
    REVIEW = "review"  # the review after an emergency


OPEN = frozenset({State.DRAFT, State.PENDING, State.APPROVED, State.SCHEDULED, State.IN_USE})
USABLE = frozenset({State.APPROVED, State.SCHEDULED})

_NEXT: Mapping[tuple[State, Step], State] = {
    (State.DRAFT, Step.SUBMIT): State.PENDING,
    (State.DRAFT, Step.WITHDRAW): State.WITHDRAWN,
    (State.PENDING, Step.APPROVE): State.APPROVED,
    (State.PENDING, Step.REJECT): State.REJECTED,
    (State.PENDING, Step.WITHDRAW): State.WITHDRAWN,
    (State.PENDING, Step.SUPERSEDE): State.SUPERSEDED,
    (State.PENDING, Step.EXPIRE): State.EXPIRED,
    (State.APPROVED, Step.SCHEDULE): State.SCHEDULED,
    (State.APPROVED, Step.WITHDRAW): State.WITHDRAWN,
    (State.SCHEDULED, Step.WITHDRAW): State.WITHDRAWN,
    (State.APPROVED, Step.REVOKE): State.REVOKED,
    (State.SCHEDULED, Step.REVOKE): State.REVOKED,
    (State.APPROVED, Step.EXPIRE): State.EXPIRED,
    (State.SCHEDULED, Step.EXPIRE): State.EXPIRED,
    (State.APPROVED, Step.USE): State.IN_USE,
    (State.SCHEDULED, Step.USE): State.IN_USE,
    (State.IN_USE, Step.USE): State.IN_USE,
    (State.IN_USE, Step.GIVE_BACK): State.APPROVED,
    (State.IN_USE, Step.FAIL): State.FAILED,
    (State.IN_USE, Step.FINISH): State.CLOSED,
    (State.POST_REVIEW, Step.REVIEW): State.CLOSED,
}
_ENDS_THAT_ARE_REVIEWED = frozenset({State.CLOSED, State.EXPIRED, State.FAILED, State.REVOKED, State.WITHDRAWN})


def next_state(state: State, step: Step, kind: str = "normal") -> State | None:
    """Where the step leads from this state; None if it is not possible.

    An emergency is reviewed however it ends, used or not: it opened rights that nobody had approved.
    """
    target = _NEXT.get((state, step))
    if kind == "emergency" and target in _ENDS_THAT_ARE_REVIEWED and step is not Step.REVIEW:
        return State.POST_REVIEW
    return target


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """One node of the path and one rising resource, as they stood when the request was denied; ledger amounts."""

    node_id: str
    node: str  # as people read it
    resource: str
    increase: int
    used: int
    limit: int | None  # with borrowing; None: no limit
    scope: str = ""
    rule: str = ""

    def over(self, less: int = 0) -> int:
        """By how much the limit would be exceeded, were the increase smaller by `less`; 0 if it would not."""
        return 0 if self.limit is None else max(0, self.used + max(0, self.increase - less) - self.limit)


@dataclass(frozen=True, slots=True)
class Asks:
    """What is asked for, as approvers see it: kept with the change request, never read again from elsewhere."""

    what: str  # "6 more GPUs in radiology/ct-training"
    before: ResourceList = EMPTY  # footprint
    after: ResourceList = EMPTY
    quota: tuple[QuotaRow, ...] = ()
    images: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)  # governed path: value after
    denied_because: tuple[str, ...] = ()  # the sentences of the denial

    def as_dict(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "quota": [{name: getattr(row, name) for name in QuotaRow.__slots__} for row in self.quota],
            "images": list(self.images),
            "changes": dict(self.changes),
            "denied_because": list(self.denied_because),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        return cls(
            what=value["what"],
            before=ResourceList(value["before"]),
            after=ResourceList(value["after"]),
            quota=tuple(QuotaRow(**row) for row in value["quota"]),
            images=tuple(value["images"]),
            changes=value["changes"],
            denied_because=tuple(value["denied_because"]),
        )


@dataclass(frozen=True, slots=True)
class Denial:
    """The decision that a change request answers, as admission hands it over.

    `askable`: every violation is one that an approved change request can answer.
    """

    decision_id: UUID
    digest: str
    subject: str
    target: str  # scope/kind/namespace/name
    actor: str
    actor_id: UUID | None  # the person behind the actor, where there is one
    project_id: UUID
    path: tuple[str, ...]
    asks: Asks
    approvals: tuple[Need, ...]
    violations: tuple[str, ...]  # codes
    askable: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What an approver makes of an approval: for less, or until an earlier date.

    `ceiling` is the whole footprint after that is allowed at most; a name that is absent is allowed nothing.
    """

    ceiling: ResourceList | None = None
    until: datetime | None = None

    @classmethod
    def at_most(cls, asks: Asks, amounts: dict[str, int], until: datetime | None = None) -> Self:
        """For at most these amounts of some resources, and as asked of the others.

        Args:
            amounts: a dictionary and not a ResourceList: that one would forget a resource that is allowed nothing.
        """
        return cls(ResourceList({**asks.after, **amounts}) if amounts else None, until)

    def as_dict(self) -> dict[str, Any] | None:
        if self.ceiling is None and self.until is None:
            return None
        return {
            "ceiling": None if self.ceiling is None else self.ceiling.as_dict(),
            "until": None if self.until is None else self.until.isoformat(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any] | None) -> Self:
        if value is None:
            return cls()
        ceiling, until = value["ceiling"], value["until"]
        return cls(
            None if ceiling is None else ResourceList(ceiling), None if until is None else datetime.fromisoformat(until)
        )


AS_ASKED = Terms()


def check_terms(terms: Terms, asks: Asks, valid_from: datetime, valid_until: datetime, now: datetime) -> None:
    """Raises BadInput for terms that give more than was asked, nothing at all, or a time that is over."""
    for name, value in (terms.ceiling or {}).items():
        if value > asks.after[name]:
            raise BadInput(
                "An approval cannot give more than was asked for.",
                field=f"terms.ceiling.{name}",
                remedy="Lower the amount, or ask for a new change request.",
            )
    if terms.ceiling is not None and (terms.ceiling == asks.after or terms.ceiling <= asks.before):
        raise BadInput(
            "This is as much as was asked for, or no more than there is already.",
            field="terms.ceiling",
            remedy="Approve as asked, choose an amount between what is there and what is asked, or reject.",
        )
    if terms.until is not None and not max(valid_from, now) < terms.until <= valid_until:
        raise BadInput(
            "The earlier date must lie after the start and not after the end of what was asked for.",
            field="terms.until",
            remedy=f"Choose a time up to {valid_until:%Y-%m-%d %H:%M} UTC.",
        )


def tightest(terms: Sequence[Terms]) -> Terms:
    """The terms that keep within every approver's: the least, component by component, and the earliest date."""
    ceiling: ResourceList | None = None
    until: datetime | None = None
    for one in terms:
        if one.ceiling is not None:
            ceiling = one.ceiling if ceiling is None else smaller(ceiling, one.ceiling)
        if one.until is not None:
            until = one.until if until is None else min(until, one.until)
    return Terms(ceiling, until)


def smaller(one: ResourceList, other: ResourceList) -> ResourceList:
    """The smaller of the two, component by component; an absent name is zero."""
    return ResourceList({name: min(one[name], other[name]) for name in set(one) | set(other)})


@dataclass(frozen=True, slots=True)
class Clocks:
    """The three clocks of a change: decide by, valid from, valid until."""

    decide_by: datetime
    valid_from: datetime
    valid_until: datetime


def clocks(now: datetime, valid_from: datetime | None, valid_until: datetime) -> Clocks:
    """From the window that is asked for; one that began already begins now. Raises BadInput."""
    start = now if valid_from is None else max(valid_from, now)
    if valid_until <= start:
        raise BadInput("The end lies before the start, or is over.", field="valid_until", remedy="Choose a later time.")
    if valid_until - start > WINDOW_MAX:
        raise BadInput(
            f"A change may hold for at most {WINDOW_MAX.days} days.",
            field="valid_until",
            remedy="Ask for a shorter time, or for a larger quota.",
        )
    return Clocks(min(now + DECIDE_WITHIN, valid_until), start, valid_until)


@dataclass(frozen=True, slots=True)
class Yes:
    """The person may."""


@dataclass(frozen=True, slots=True)
class No:
    """The person may not, and why, as one sentence for them."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reviewable:
    """What decides who may review a change."""

    state: State
    decide_by: datetime
    requester_id: UUID
    actor_id: UUID | None
    delegates: frozenset[UUID]  # who acts for the requester or for the actor now
    members: Mapping[str, frozenset[UUID]]  # who may speak for each group that is needed, stand-ins included


def may_review(change: Reviewable, person_id: UUID, now: datetime) -> Yes | No:
    """Whether this person's approval or rejection would count. The requester, the actor and their delegates never."""
    if part := _own_part(change, person_id):
        return No(f"{part}, so someone else must decide it.")
    if not _speaks(change, person_id):
        return No(f"You may not speak for {_groups(change)}, whose approval is needed.")
    if change.state is not State.PENDING:
        return No(f"This change is {STATE_WORDS[change.state]}, so there is nothing left to decide.")
    if now >= change.decide_by:
        return No("The time to decide this change is over; it can be asked for again.")
    return Yes()


def may_review_afterwards(emergency: Reviewable, person_id: UUID) -> Yes | No:
    """Whether this person can close an emergency with a review: one of those who were skipped, once it has ended."""
    if part := _own_part(emergency, person_id):
        return No(f"{part}, so someone else must review it.")
    if not _speaks(emergency, person_id):
        return No(f"You may not speak for {_groups(emergency)}, who were skipped, so you cannot review it.")
    if emergency.state in OPEN:
        return No("It can be reviewed as soon as it was used, or its time is over.")
    if emergency.state is not State.POST_REVIEW:
        return No(f"This change is {STATE_WORDS[emergency.state]}, so there is nothing left to review.")
    return Yes()


def _own_part(change: Reviewable, person_id: UUID) -> str:
    """What keeps the person from judging it: their own part in it; empty if they have none."""
    if person_id == change.requester_id:
        return "You asked for this change"
    if person_id == change.actor_id:
        return "This change was made in your name on the cluster"
    return "You act for the person who asked for this change" if person_id in change.delegates else ""


def _speaks(change: Reviewable, person_id: UUID) -> bool:
    return any(person_id in group for group in change.members.values())


def _groups(change: Reviewable) -> str:
    return listed(group_title(one) for one in sorted(change.members))


STATE_WORDS: Mapping[State, str] = {state: state.value.replace("_", " ") for state in State}


def show_number(number: int) -> str:
    """A change's number as people write it: CH-1042."""
    return f"CH-{number}"


def parse_number(text: str) -> int | None:
    """The number in `CH-1042`; None for anything else."""
    match = re.fullmatch(r"(?i:CH-)([1-9][0-9]{0,8})", text.strip(), re.ASCII)
    return int(match[1]) if match else None
