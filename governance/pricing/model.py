"""What a thing costs, from the prices that were in force while it was there. Pure, exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal

HOURS_OF_MONTH = 730
"""A month as price lists take it: 365 days of 24 hours, divided by twelve."""

_STEP = Decimal("1E-12")
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_MICROSECOND = timedelta(microseconds=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Priced:
    """What one of an item costs an hour while this holds, half open."""

    per_hour: Decimal
    currency: str
    valid_from: datetime
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What something costs in one currency. `unpriced`: for how long of it no price was in force."""

    value: Decimal
    currency: str
    unpriced: timedelta = timedelta()


def cost(prices: Iterable[Priced], since: datetime, until: datetime, currency: str) -> Cost:
    """What one of an item costs from `since` until `until`, by the prices in this currency in force meanwhile.

    Rounded once, half to even, to twelve decimals.
    """
    total, priced = Decimal(0), timedelta()
    for one in prices:
        start, end = max(since, one.valid_from), min(until, one.valid_to or until)
        if one.currency != currency or end <= start:
            continue
        priced += end - start
        total = _EXACT.add(total, _EXACT.multiply(one.per_hour, Decimal((end - start) // _MICROSECOND)))
    value = _EXACT.divide(total, Decimal(_HOUR // _MICROSECOND)).quantize(_STEP, context=_EXACT)
    return Cost(value, currency, max(timedelta(), until - since - priced))


def credits_of(per_hour: Decimal) -> int:
    """What is reserved for something of this price: a month of it, in millionths of the currency, rounded up."""
    month = _EXACT.multiply(per_hour, Decimal(HOURS_OF_MONTH * 1_000_000))
    return int(month.to_integral_value(ROUND_CEILING, context=_EXACT))
