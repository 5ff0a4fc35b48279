from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import BadInput
from governance.units import (
    AMOUNT_MAX,
    EMPTY,
    Money,
    Period,
    ResourceList,
    amount,
    largest_of,
    parse_quantity,
    show_amount,
    sum_of,
)

SUFFIXES = {
    "": Fraction(1), "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": Fraction(1000),
    "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12), "P": Fraction(10**15), "E": Fraction(10**18),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40), "e3": Fraction(1000),
    "E-2": Fraction(1, 100),
}  # fmt: skip
resources = st.sampled_from(["requests.cpu", "requests.memory", "pods", "requests.nvidia.com/gpu"])
lists = st.dictionaries(resources, st.integers(-(10**12), 10**12)).map(ResourceList)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(sorted(SUFFIXES)))
def test_a_quantity_keeps_its_exact_value(whole: int, fraction: int, suffix: str) -> None:
    expected = Fraction(f"{whole}.{fraction}") * SUFFIXES[suffix]
    assert Fraction(parse_quantity(f"{whole}.{fraction}{suffix}")) == expected


@pytest.mark.parametrize(
    ("resource", "text", "expected"),
    [
        ("requests.cpu", "1.5", 1500),
        ("requests.cpu", "1u", 1),  # rounded up to a millicore
        ("requests.cpu", "100m", 100),
        ("requests.memory", "1Gi", 2**30),
        ("requests.memory", "0.1", 1),
        ("requests.memory", "128974848000m", 128974848),
        ("pods", "3", 3),
        ("credits", "12.345678", 12345678),
        ("credits", "0.0000001", 1),
        ("requests.cpu", "0", 0),
        ("requests.memory", "9223372036854775807", AMOUNT_MAX),
    ],
)
def test_an_amount_is_in_the_ledgers_unit_and_rounded_up(resource: str, text: str, expected: int) -> None:
    assert amount(resource, text) == expected


@pytest.mark.parametrize(
    "text", ["", "1.5x", "-1", "1e400", "NaN", "Infinity", "0x10", "1_000", "1 Gi", "١", "9" * 65, "10Ei"]
)
def test_what_is_no_amount_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        amount("requests.memory", text, field="spec.hard.requests.memory")
    assert caught.value.field == "spec.hard.requests.memory"
    assert caught.value.remedy


def test_a_boolean_is_no_quantity() -> None:
    with pytest.raises(BadInput):
        parse_quantity(True)


@given(st.sampled_from(["requests.cpu", "requests.memory", "pods", "credits"]), st.integers(0, AMOUNT_MAX))
def test_an_amount_that_is_shown_reads_back_the_same(resource: str, value: int) -> None:
    assert amount(resource, show_amount(resource, value)) == value


@given(lists, lists)
def test_the_algebra_of_resource_lists_holds(a: ResourceList, b: ResourceList) -> None:
    assert (a + b) - b == a
    assert a <= (a | b)
    assert b <= (a | b)
    assert sum_of([a, b]) == a + b
    assert largest_of([a, b]) == a | b
    assert a * 3 == a + a + a
    assert hash(a + EMPTY) == hash(a)
    assert (a <= b) == all(a[name] <= b[name] for name in {*a, *b})


def test_a_name_that_is_absent_is_zero_and_zero_is_absent() -> None:
    assert ResourceList({"pods": 0}) == EMPTY
    assert EMPTY["pods"] == 0
    assert "pods" not in ResourceList({"pods": 0})


def test_money_of_two_currencies_is_not_added() -> None:
    with pytest.raises(BadInput):
        Money.parse("1.10", "EUR") + Money.parse("1", "USD")
    assert Money.parse("1.10", "EUR") + Money.parse("2.20", "EUR") == Money(Decimal("3.30"), "EUR")


@pytest.mark.parametrize("text", ["NaN", "1e", "Infinity", "1,5", ""])
def test_what_is_no_money_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Money.parse(text, "EUR")


def test_a_period_is_a_utc_month_half_open() -> None:
    december = Period.parse("2026-12")
    assert (december.start, december.end) == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert str(december) == "2026-12"
    assert Period.parse("2026-11").end == december.start


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "26-11", "2026-11-01", "٢٠٢٦-11"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Period.parse(text)


def test_a_month_has_one_before_it_and_one_after_it() -> None:
    january = Period(2027, 1)
    assert (january.previous, january.following) == (Period(2026, 12), Period(2027, 2))
    assert january.previous.following == january


def test_the_month_of_a_moment_is_that_of_utc() -> None:
    vienna = timezone(timedelta(hours=1))
    assert Period.of(datetime(2027, 1, 1, 0, 30, tzinfo=vienna)) == Period(2026, 12)
