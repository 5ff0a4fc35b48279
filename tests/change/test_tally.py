"""Counting reviews. The oracle tries every assignment of people to seats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.change.tally import ReviewValue, short_of, tally
from governance.policy.model import Need

NOW = datetime(2026, 11, 23, 10, 44, tzinfo=UTC)
PEOPLE = [UUID(int=n) for n in range(1, 7)]
ANN, BEN, CAT, DAN, EVA, FAY = PEOPLE
GROUPS = ["platform", "radiology", "security"]


def said(person: UUID, verdict: str = "approve", minute: int = 0) -> ReviewValue:
    return ReviewValue(person, verdict, NOW + timedelta(minutes=minute))  # type: ignore[arg-type]  # the test's own


def test_all_needs_must_hold() -> None:
    needs = [Need("a", "platform", 1, 1), Need("b", "radiology", 1, 1)]
    members = {"platform": frozenset({ANN}), "radiology": frozenset({BEN})}
    assert not tally(needs, [said(ANN)], members).satisfied
    assert tally(needs, [said(ANN), said(BEN)], members).satisfied


def test_a_greedy_count_would_fail_where_the_matching_succeeds() -> None:
    needs = [Need("a", "platform", 1, 1), Need("b", "radiology", 1, 1)]
    members = {"platform": frozenset({ANN, BEN}), "radiology": frozenset({ANN})}
    counted = tally(needs, [said(ANN, minute=0), said(BEN, minute=1)], members)
    assert counted.satisfied
    assert [count.approvals for count in counted.counts] == [(BEN,), (ANN,)]


def test_one_person_in_every_group_counts_once() -> None:
    needs = [Need("a", "platform", 1, 1), Need("b", "radiology", 1, 1)]
    everywhere = dict.fromkeys(("platform", "radiology"), frozenset({ANN}))
    counted = tally(needs, [said(ANN)], everywhere)
    assert sum(len(count.approvals) for count in counted.counts) == 1
    assert not counted.satisfied


def test_nothing_needed_is_not_satisfied_by_nobody() -> None:
    assert not tally([], [], {}).satisfied


def test_who_is_not_a_member_counts_for_nothing() -> None:
    needs, members = [Need("a", "platform", 1, 1)], {"platform": frozenset({ANN})}
    assert not tally(needs, [said(BEN)], members).satisfied
    assert not tally(needs, [said(BEN, "reject")], members).rejected


def test_the_newest_verdict_of_a_person_counts_and_questions_are_none() -> None:
    needs, members = [Need("a", "platform", 1, 1)], {"platform": frozenset({ANN})}
    both = [said(ANN, "reject", 0), said(ANN, "approve", 1), said(ANN, "question", 2), said(ANN, "answer", 3)]
    assert tally(needs, both, members).satisfied
    assert tally(needs, list(reversed(both)), members).satisfied
    assert tally(needs, [*both, said(ANN, "reject", 4)], members).rejected


@pytest.mark.parametrize(("rejections", "rejected"), [(1, False), (2, True)])
def test_a_need_is_refused_by_as_many_as_its_deny_minimum_and_a_refusal_wins(rejections: int, rejected: bool) -> None:
    needs, members = [Need("a", "platform", 1, 2)], {"platform": frozenset(PEOPLE)}
    reviews = [said(EVA), *(said(person, "reject") for person in (ANN, BEN)[:rejections])]
    counted = tally(needs, reviews, members)
    assert (counted.rejected, counted.satisfied) == (rejected, not rejected)


def test_a_delegate_speaks_for_a_member_and_their_seat_is_taken_once() -> None:
    needs, members = [Need("a", "platform", 2, 1)], {"platform": frozenset({ANN, BEN})}
    stands_in = {CAT: frozenset({ANN}), DAN: frozenset({ANN})}
    assert not tally(needs, [said(CAT), said(DAN)], members, stands_in).satisfied
    assert not tally(needs, [said(CAT), said(ANN)], members, stands_in).satisfied
    assert tally(needs, [said(CAT), said(BEN)], members, stands_in).satisfied
    assert tally(needs, [said(CAT, "reject")], members, stands_in).rejected


needs_of = st.lists(
    st.builds(Need, st.just("r"), st.sampled_from(GROUPS), st.integers(1, 2), st.integers(1, 2)), min_size=1, max_size=3
)
members_of = st.fixed_dictionaries({group: st.frozensets(st.sampled_from(PEOPLE)) for group in GROUPS})


def can_be_filled(needs: list[Need], people: list[UUID], members: dict[str, frozenset[UUID]]) -> int:
    """The most seats that can be filled, by trying every order of people."""
    seats = [need.group for need in needs for _ in range(need.minimum)]
    padded = [*people, *[None] * len(seats)]
    return max(
        sum(person in members[group] for person, group in zip(order, seats, strict=False) if person)
        for order in set(permutations(padded[: max(len(people), len(seats))], len(seats)))
    )


@given(needs_of, members_of, st.lists(st.sampled_from(PEOPLE), unique=True, max_size=5))
def test_as_many_seats_are_filled_as_can_be(
    needs: list[Need], members: dict[str, frozenset[UUID]], approvers: list[UUID]
) -> None:
    counted = tally(needs, [said(person, minute=n) for n, person in enumerate(approvers)], members)
    filled = sum(len(count.approvals) for count in counted.counts)
    seats = sum(need.minimum for need in needs)
    assert filled == can_be_filled(needs, approvers, members)
    assert counted.satisfied == (filled == seats)
    everyone = [person for count in counted.counts for person in count.approvals]
    assert len(everyone) == len(set(everyone))
    for count in counted.counts:
        assert set(count.approvals) <= members[count.need.group]


@given(needs_of, members_of)
def test_what_is_short_of_people_is_what_nobody_could_ever_satisfy(
    needs: list[Need], members: dict[str, frozenset[UUID]]
) -> None:
    everybody = tally(needs, [said(person, minute=n) for n, person in enumerate(PEOPLE)], members)
    assert (short_of(needs, members) == ()) == everybody.satisfied
