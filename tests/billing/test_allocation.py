"""Parts sum to the whole, to the last digit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.allocation import Posting, Shares, corrections, rounded, share, split, sum_of

AMOUNTS = st.decimals(Decimal("-1E13"), Decimal("1E13"), places=12)
WEIGHTS = st.lists(st.integers(0, 10**18), min_size=1, max_size=30).filter(any)


def posting(node: str | None, effective: str, *, currency: str = "EUR", billed: str = "0", rule: str = "") -> Posting:
    return Posting(node, None, rule, "AWS", "AWS", currency, "EC2", "Usage", 1, Decimal(billed), Decimal(effective))


@given(AMOUNTS, WEIGHTS)
def test_shares_sum_to_the_amount_and_none_is_off_by_a_whole_step(amount: Decimal, weights: list[int]) -> None:
    parts = share(amount, weights)
    assert sum_of(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        exact = Decimal(weight) / Decimal(sum(weights)) * amount
        assert abs(part - exact) <= Decimal("1E-12") + abs(exact) * Decimal("1E-20")


def test_what_does_not_divide_goes_to_the_first_of_equals() -> None:
    thirds = share(Decimal("0.000000000010"), [1, 1, 1])
    assert thirds == [Decimal("4E-12"), Decimal("3E-12"), Decimal("3E-12")]
    assert share(Decimal("-0.000000000010"), [1, 1, 1]) == [-one for one in thirds]


def test_a_weight_of_zero_gets_nothing() -> None:
    assert share(Decimal(1), [0, 3]) == [0, 1]


@given(st.lists(AMOUNTS, min_size=1, max_size=30), st.sampled_from(["0.01", "1", "0.001"]))
def test_rounded_amounts_sum_to_the_rounded_total_and_none_is_off_by_a_subunit(
    amounts: list[Decimal], subunit: str
) -> None:
    step = Decimal(subunit)
    found = rounded(amounts, step)
    assert all(abs(one - exact) < step for one, exact in zip(found, amounts, strict=True))
    assert abs(sum_of(found) - sum_of(amounts)) <= step / 2
    assert all(one % step == 0 for one in found)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (None, ["0.75", "0.25"]),  # as what is theirs alone: 3 and 1
        ([Decimal(1), Decimal(1)], ["0.5", "0.5"]),
        ([Decimal("0.1"), Decimal("0.4")], ["0.2", "0.8"]),
    ],
)
def test_shared_cost_is_split(weights: list[Decimal] | None, expected: list[str]) -> None:
    own = [posting("a", "3"), posting("b", "1"), posting("b", "50", currency="USD"), posting(None, "9")]
    found = split(own, [(posting(None, "1", billed="2"), Shares("rule support", ["a", "b"], weights))])
    shared = [one for one in found if one.rule]
    assert [one.effective for one in shared] == [Decimal(one) for one in expected]
    assert sum_of(one.billed for one in shared) == 2
    assert found[:4] == own


def test_what_is_proportional_to_nothing_is_split_evenly() -> None:
    found = split([posting("a", "-5")], [(posting(None, "1"), Shares("rule r", ["a", "b"], None))])
    assert [one.effective for one in found[1:]] == [Decimal("0.5"), Decimal("0.5")]


def test_a_correction_is_what_a_closed_month_comes_to_now_less_what_was_charged() -> None:
    closed = [posting("a", "3"), posting("b", "1")]
    now = [posting("a", "2.5"), posting("b", "1"), posting(None, "4")]
    found = corrections(now, closed, "2026-09")
    assert [(one.node, one.effective, one.of_period) for one in found] == [
        (None, Decimal(4), "2026-09"),
        ("a", Decimal("-0.5"), "2026-09"),
    ]
