"""States, terms, clocks, and who may review. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.change.grants import allowances_of
from governance.change.model import (
    AS_ASKED,
    OPEN,
    Asks,
    No,
    QuotaRow,
    Reviewable,
    State,
    Step,
    Terms,
    Yes,
    clocks,
    may_review,
    next_state,
    parse_number,
    show_number,
    tightest,
)
from governance.errors import BadInput
from governance.units import ResourceList

NOW = datetime(2026, 11, 23, 10, 44, tzinfo=UTC)
DAY = timedelta(days=1)
GPU, CPU = "requests.nvidia.com/gpu", "requests.cpu"
REQUESTER, ACTOR, DELEGATE, MEMBER, STRANGER = (uuid4() for _ in range(5))
CHANGE = Reviewable(
    state=State.PENDING,
    decide_by=NOW + DAY,
    requester_id=REQUESTER,
    actor_id=ACTOR,
    delegates=frozenset({DELEGATE}),
    members={"platform": frozenset({REQUESTER, ACTOR, DELEGATE, MEMBER})},
)
ENDS = set(State) - OPEN - {State.POST_REVIEW}


def walk(kind: str, *steps: Step) -> State | None:
    state: State | None = State.DRAFT
    for step in steps:
        assert state is not None
        state = next_state(state, step, kind)
    return state


def test_the_ordinary_way_leads_from_draft_to_closed() -> None:
    steps = (Step.SUBMIT, Step.APPROVE, Step.SCHEDULE, Step.USE, Step.USE, Step.GIVE_BACK, Step.USE, Step.FINISH)
    assert walk("normal", *steps) == State.CLOSED


def test_an_emergency_is_reviewed_before_it_is_closed() -> None:
    steps = (Step.SUBMIT, Step.APPROVE, Step.USE, Step.FINISH)
    assert walk("emergency", *steps) == State.POST_REVIEW
    assert walk("emergency", *steps, Step.REVIEW) == State.CLOSED


@pytest.mark.parametrize("state", sorted(ENDS))
def test_nothing_leads_out_of_an_end(state: State) -> None:
    assert not any(next_state(state, step, kind) for step in Step for kind in ("normal", "emergency"))


@pytest.mark.parametrize("state", sorted(set(State) - ENDS))
def test_something_leads_out_of_every_other_state(state: State) -> None:
    assert any(next_state(state, step) for step in Step)


def test_what_was_never_approved_is_never_used_and_what_is_used_is_not_taken_back() -> None:
    assert [state for state in State if next_state(state, Step.USE)] == [
        State.APPROVED,
        State.SCHEDULED,
        State.IN_USE,
    ]
    assert not any(next_state(State.IN_USE, step) for step in (Step.WITHDRAW, Step.REVOKE, Step.EXPIRE, Step.REJECT))


@pytest.mark.parametrize(
    ("person", "why"),
    [
        (REQUESTER, "You asked for this change"),
        (ACTOR, "in your name"),
        (DELEGATE, "You act for"),
        (STRANGER, "You may not speak for Platform"),
    ],
)
def test_these_people_may_not_review_and_are_told_why(person: object, why: str) -> None:
    answer = may_review(CHANGE, person, NOW)  # type: ignore[arg-type]  # an id
    assert isinstance(answer, No)
    assert why in answer.reason


def test_a_member_may_review_until_the_time_to_decide_is_over() -> None:
    assert may_review(CHANGE, MEMBER, NOW) == Yes()
    assert may_review(CHANGE, MEMBER, CHANGE.decide_by - timedelta(microseconds=1)) == Yes()
    assert isinstance(may_review(CHANGE, MEMBER, CHANGE.decide_by), No)


@pytest.mark.parametrize("state", sorted(set(State) - {State.PENDING}))
def test_nobody_reviews_what_is_not_pending(state: State) -> None:
    assert isinstance(may_review(replace(CHANGE, state=state), MEMBER, NOW), No)


def test_a_change_without_an_actor_person_is_not_everybodys_own() -> None:
    assert may_review(replace(CHANGE, actor_id=None), MEMBER, NOW) == Yes()


def test_the_three_clocks() -> None:
    times = clocks(NOW, None, NOW + 30 * DAY)
    assert (times.decide_by, times.valid_from, times.valid_until) == (NOW + 3 * DAY, NOW, NOW + 30 * DAY)
    assert clocks(NOW, None, NOW + DAY).decide_by == NOW + DAY
    assert clocks(NOW, NOW - DAY, NOW + DAY).valid_from == NOW


@pytest.mark.parametrize(
    ("start", "end"), [(None, NOW), (None, NOW - DAY), (NOW + 2 * DAY, NOW + DAY), (None, NOW + 367 * DAY)]
)
def test_a_window_ends_after_it_begins_and_within_a_year(start: datetime | None, end: datetime) -> None:
    with pytest.raises(BadInput) as refused:
        clocks(NOW, start, end)
    assert refused.value.field == "valid_until"


ASKS = Asks(
    what="6 more GPUs",
    before=ResourceList({GPU: 2, CPU: 2000}),
    after=ResourceList({GPU: 8, CPU: 8000}),
    quota=(QuotaRow("n", "Radiology", GPU, 6, 10, 12), QuotaRow("n", "Radiology", CPU, 6000, 41000, None)),
    images=("ct@sha256:9f1",),
    changes={"spec.replicas": 8},
    denied_because=("too much",),
)


def test_asks_and_terms_survive_being_stored() -> None:
    assert Asks.from_dict(ASKS.as_dict()) == ASKS
    for terms in (AS_ASKED, Terms(ResourceList({GPU: 4}), NOW), Terms(None, NOW), Terms(ResourceList({GPU: 4}))):
        assert Terms.from_dict(terms.as_dict()) == terms


def test_a_resource_that_is_allowed_nothing_stays_allowed_nothing() -> None:
    terms = Terms.at_most(ASKS, {GPU: 0})
    assert terms.ceiling == ResourceList({CPU: 8000})
    assert terms.ceiling is not None
    assert terms.ceiling[GPU] == 0


@pytest.mark.parametrize(
    ("used", "increase", "less", "over"), [(10, 2, 0, 0), (10, 3, 0, 1), (10, 6, 4, 0), (13, 1, 1, 1)]
)
def test_over_is_what_lies_above_the_limit(used: int, increase: int, less: int, over: int) -> None:
    assert QuotaRow("n", "Radiology", GPU, increase, used, 12).over(less) == over


def test_allowances_cover_the_overrun_of_every_limited_node_and_no_more() -> None:
    (row,) = allowances_of(ASKS, None)
    assert row == {"node_id": "n", "scope": "", "resource": GPU, "amount": 4}
    assert allowances_of(ASKS, ResourceList({GPU: 5, CPU: 8000}))[0]["amount"] == 1
    assert allowances_of(ASKS, ResourceList({GPU: 4, CPU: 8000})) == []


CEILINGS = st.none() | st.builds(ResourceList, st.dictionaries(st.sampled_from([GPU, CPU]), st.integers(0, 9)))
TERMS = st.builds(Terms, CEILINGS, st.none() | st.integers(1, 9).map(lambda days: NOW + days * DAY))


@given(st.lists(TERMS, max_size=4))
def test_the_tightest_terms_are_within_everybodys(terms: list[Terms]) -> None:
    least = tightest(terms)
    for one in terms:
        assert one.ceiling is None or (least.ceiling is not None and least.ceiling <= one.ceiling)
        assert one.until is None or (least.until is not None and least.until <= one.until)
    assert (least.ceiling is None) == all(one.ceiling is None for one in terms)
    assert least.until in {None, *(one.until for one in terms)}


def test_numbers_are_written_and_read() -> None:
    assert parse_number(show_number(1042)) == parse_number(" ch-1042 ") == 1042
    assert [parse_number(text) for text in ("1042", "CH-", "CH-01", "CH-1x", "CH-١", "")] == [None] * 6
