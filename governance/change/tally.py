"""Counting reviews against what is needed. Pure.

One person counts for one need. Who counts for which is a matching in a bipartite graph of people and seats
(augmenting paths, Kuhn 1955), not first come, first served: a greedy count could call a satisfied change unsatisfied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from governance.change.model import AS_ASKED, Terms
from governance.policy.model import Need

Members = Mapping[str, frozenset[UUID]]
NOBODY: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class ReviewValue:
    """One person's say."""

    person_id: UUID
    verdict: Literal["approve", "reject", "question", "answer", "review"]
    at: datetime
    note: str = ""
    terms: Terms = AS_ASKED


@dataclass(frozen=True, slots=True)
class NeedCount:
    """How one need stands. `approvals` are the people who count for it, at most its minimum."""

    need: Need
    approvals: tuple[UUID, ...]
    rejections: tuple[UUID, ...]

    @property
    def missing(self) -> int:
        return self.need.minimum - len(self.approvals)

    @property
    def rejected(self) -> bool:
        return len(self.rejections) >= max(1, self.need.deny_minimum)


@dataclass(frozen=True, slots=True)
class Tally:
    """How a change stands: every need, and whether they all hold, or one of them was refused. A refusal wins."""

    counts: tuple[NeedCount, ...]

    @property
    def rejected(self) -> bool:
        return any(count.rejected for count in self.counts)

    @property
    def satisfied(self) -> bool:
        return bool(self.counts) and not self.rejected and all(count.missing <= 0 for count in self.counts)

    @property
    def counted(self) -> frozenset[UUID]:
        """Whose approvals count."""
        return frozenset(person for count in self.counts for person in count.approvals)


def newest(reviews: Sequence[ReviewValue]) -> dict[UUID, ReviewValue]:
    """The newest verdict of each person, in the order of their time. Whatever else they said is no verdict."""
    latest: dict[UUID, ReviewValue] = {}
    for review in sorted(reviews, key=lambda one: one.at):
        if review.verdict in {"approve", "reject"}:
            latest.pop(review.person_id, None)
            latest[review.person_id] = review
    return latest


def tally(
    needs: Sequence[Need],
    reviews: Sequence[ReviewValue],
    members: Members,
    stands_in: Mapping[UUID, frozenset[UUID]] | None = None,
) -> Tally:
    """Count the reviews.

    Args:
        needs: what must all hold.
        reviews: of this change, in any order.
        members: who may speak for each group, without whoever may not review this change.
        stands_in: delegate -> the members for whom the delegate acts now. A member's seat is taken once: by the
            member, or else by the first delegate who approved.
    """
    latest = newest(reviews)
    approvers = [person for person, review in latest.items() if review.verdict == "approve"]
    rejecters = [person for person, review in latest.items() if review.verdict == "reject"]
    speaks_for = {person: _seats(person, approvers, stands_in or {}) for person in approvers}
    matched = _match(needs, approvers, {person: _groups(seats, members) for person, seats in speaks_for.items()})
    return Tally(
        tuple(
            NeedCount(
                need,
                tuple(person for person in approvers if matched.get(person) == index),
                tuple(
                    person
                    for person in rejecters
                    if need.group in _groups({person} | (stands_in or {}).get(person, NOBODY), members)
                ),
            )
            for index, need in enumerate(needs)
        )
    )


def short_of(needs: Sequence[Need], members: Members) -> tuple[tuple[Need, int], ...]:
    """What could not be satisfied even if everybody approved: each such need, and how many people it lacks."""
    everybody = sorted({person for group in members.values() for person in group})
    groups = {person: _groups({person}, members) for person in everybody}
    matched = list(_match(needs, everybody, groups).values())
    lacks = [(need, need.minimum - matched.count(index)) for index, need in enumerate(needs)]
    return tuple((need, lack) for need, lack in lacks if lack > 0)


def _seats(person: UUID, approvers: Sequence[UUID], stands_in: Mapping[UUID, frozenset[UUID]]) -> frozenset[UUID]:
    earlier = approvers[: approvers.index(person)]
    taken = frozenset(approvers).union(*(stands_in.get(other, NOBODY) for other in earlier))
    return frozenset({person}) | (stands_in.get(person, NOBODY) - taken)


def _groups(people: frozenset[UUID] | set[UUID], members: Members) -> frozenset[str]:
    return frozenset(group for group, those in members.items() if not those.isdisjoint(people))


def _match(needs: Sequence[Need], people: Sequence[UUID], groups: Mapping[UUID, frozenset[str]]) -> dict[UUID, int]:
    """Person -> index of the need, as many people as can count; whoever comes first is never unseated."""
    seats = [index for index, need in enumerate(needs) for _ in range(need.minimum)]
    holder: dict[int, UUID] = {}

    def place(person: UUID, tried: set[int]) -> bool:
        for seat, index in enumerate(seats):
            if seat in tried or needs[index].group not in groups[person]:
                continue
            tried.add(seat)
            if seat not in holder or place(holder[seat], tried):
                holder[seat] = person
                return True
        return False

    for person in people:
        place(person, set())
    return {person: seats[seat] for seat, person in holder.items()}
