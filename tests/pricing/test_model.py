from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from governance.pricing.model import Cost, Priced, cost, credits_of

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def priced(price: str, since: float = -100, until: float | None = None, currency: str = "EUR") -> Priced:
    return Priced(Decimal(price), currency, NOON + since * HOUR, None if until is None else NOON + until * HOUR)


@pytest.mark.parametrize(
    ("prices", "hours", "expected"),
    [
        ([priced("1.12")], 10, Cost(Decimal("11.2"), "EUR")),
        ([priced("1.12", until=4), priced("2", since=4)], 10, Cost(Decimal("16.48"), "EUR")),
        ([priced("1", since=3)], 10, Cost(Decimal(7), "EUR", 3 * HOUR)),
        ([priced("1", currency="USD")], 10, Cost(Decimal(0), "EUR", 10 * HOUR)),
        ([], 1, Cost(Decimal(0), "EUR", HOUR)),
        ([priced("1")], 0, Cost(Decimal(0), "EUR")),
        ([priced("1")], 1 / 3, Cost(Decimal("0.333333333333"), "EUR")),
        ([priced("0.000000000001")], 0.5, Cost(Decimal(0), "EUR")),  # half to even
    ],
)
def test_a_cost_follows_the_prices_of_its_time(prices: list[Priced], hours: float, expected: Cost) -> None:
    assert cost(prices, NOON, NOON + hours * HOUR, "EUR") == expected


def test_a_month_is_reserved_rounded_up() -> None:
    assert credits_of(Decimal("1.12")) == 817_600_000
    assert credits_of(Decimal("0.000000000001")) == 1
