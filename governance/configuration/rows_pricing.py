"""Tables of prices become rows: what changes ends now, and what is new begins."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sqlmodel import col, select

from governance.configuration.model import Manifests, Problem
from governance.configuration.specs_pricing import PriceTable
from governance.configuration.writing import Writing
from governance.pricing.tables import Price


def check(manifests: Manifests) -> Iterator[Problem]:
    """No item has two prices at one place in one currency."""
    seen: dict[tuple[str, str, str, str], str] = {}
    for name, (manifest, table) in manifests.of(PriceTable).items():
        for item in table.per_hour:
            first = seen.setdefault((table.provider, table.region or "", table.currency, item), name)
            if first != name:
                yield manifest.problem(("perHour", item), f"{first} prices it already.", "Remove one.")


def write(writing: Writing) -> None:
    """Make the prices as wanted."""
    wanted = {
        (table.provider, table.region or "", item, table.currency): (Decimal(price), name)
        for name, table in writing.wanted.specs(PriceTable).items()
        for item, price in table.per_hour.items()
    }
    rows = writing.session.exec(select(Price).where(col(Price.valid_to).is_(None)))
    present = {(one.provider, one.region, one.item, one.currency): one for one in rows}
    for key, row in present.items():
        if key not in wanted or wanted[key][0] != row.per_hour:
            row.valid_to = writing.now
            writing.session.add(row)
    for key, (price, name) in wanted.items():
        if key not in present or present[key].per_hour != price:
            provider, region, item, currency = key
            writing.session.add(
                Price(
                    provider=provider,
                    region=region,
                    item=item,
                    per_hour=price,
                    currency=currency,
                    table=name,
                    revision=writing.revision,
                    valid_from=writing.now,
                )
            )
    writing.session.flush()
