"""Reading prices: the ones of an item, where it is; another region's only if a table says so for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from governance.pricing.model import Priced
from governance.pricing.tables import Price

Item = tuple[str, str, str]  # provider, region, item


def prices_of(session: Session, items: Iterable[Item]) -> dict[Item, tuple[Priced, ...]]:
    """The prices of items, each in the order in which they held."""
    wanted = set(items)
    named = {item for _, _, item in wanted}
    rows = session.exec(select(Price).where(col(Price.item).in_(named)).order_by(col(Price.valid_from))).all()
    found = {}
    for provider, region, item in wanted:
        here = [one for one in rows if (one.provider, one.region, one.item) == (provider, region, item)]
        anywhere = [one for one in rows if (one.provider, one.region, one.item) == (provider, "", item)]
        found[provider, region, item] = tuple(
            Priced(one.per_hour, one.currency, one.valid_from, one.valid_to) for one in here or anywhere
        )
    return found


def price_now(session: Session, item: Item, currency: str, now: datetime) -> Priced | None:
    """The price of an item in this currency that is in force."""
    for one in prices_of(session, [item])[item]:
        if one.currency == currency and one.valid_from <= now and (one.valid_to is None or one.valid_to > now):
            return one
    return None
