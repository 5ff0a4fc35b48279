"""Settlement: what each charge was foretold to cost in a month, beside what its lines of the bill say (LEDGER.md,
"Money and settlement")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import Session

from billing import engine as bill
from billing.inputs import files_of, links_of, resources_of
from billing.store import Store
from governance.db.session import reading, transaction
from governance.identity.organisation import currency_of
from governance.pricing.model import cost
from governance.pricing.prices import prices_of
from governance.quota.settlements import run_in_force, settlements_of
from governance.quota.tables import ChargeResource, Settlement, SettlementRun
from governance.units import Period

_NOTHING = Decimal("0E-12")


@dataclass(frozen=True, slots=True)
class _Billed:
    billed: Decimal
    effective: Decimal
    lines: int
    through: datetime


def settle(database: Engine, store: Store, period: Period, now: datetime) -> UUID | None:
    """Reckon a month anew from the lines in force.

    Returns:
        the new run; None if nothing is other than in the one in force.
    """
    with reading(database) as session:
        resources = resources_of(session, period)
        files = [store.file(one) for one in files_of(session, period)]
    billed = _billed(files, resources) if files and resources else {}
    with transaction(database) as session:
        rows = _rows(session, resources, billed, period, now)
        before = run_in_force(session, str(period))
        if _same(rows, settlements_of(session, before) if before else ()):
            return None
        run = SettlementRun(period=str(period), at=now)
        session.add(run)
        session.flush()
        session.add_all(Settlement(run_id=run.id, **one) for one in rows)
        return run.id


def _billed(files: Sequence[Any], resources: Iterable[ChargeResource]) -> dict[tuple[UUID, str], _Billed]:
    backend = bill.connect()
    try:
        found = bill.linked(backend, bill.read_lines(backend, files), links_of(resources))
    finally:
        backend.disconnect()
    return {
        (UUID(one["charge"]), one["currency"]): _Billed(
            one["billed"], one["effective"], one["lines"], one["billed_through"].replace(tzinfo=UTC)
        )
        for one in found
    }


def _rows(
    session: Session,
    resources: Sequence[ChargeResource],
    billed: Mapping[tuple[UUID, str], _Billed],
    period: Period,
    now: datetime,
) -> list[dict[str, Any]]:
    """A row for each charge and currency, in order. A charge that no line has come for yet is only foretold."""
    own = currency_of(session)
    prices = prices_of(session, {(one.provider, one.region, one.machine) for one in resources})
    by_charge: dict[UUID, list[ChargeResource]] = defaultdict(list)
    for one in resources:
        by_charge[one.charge_id].append(one)
    rows = []
    for charge in sorted(by_charge):
        currencies = [currency for of, currency in billed if of == charge] or [own]
        for currency in currencies:
            line = billed.get((charge, currency))
            until = min(line.through if line else now, period.end)
            foretold = sum(
                (
                    cost(
                        prices[one.provider, one.region, one.machine],
                        max(one.valid_from, period.start),
                        min(one.valid_to or until, until),
                        currency,
                    ).value
                    for one in by_charge[charge]
                ),
                _NOTHING,
            )
            rows.append(
                {
                    "charge_id": charge,
                    "currency": currency,
                    "estimate": foretold,
                    "billed": line.billed if line else _NOTHING,
                    "effective": line.effective if line else _NOTHING,
                    "lines": line.lines if line else 0,
                    "billed_through": line.through if line else None,
                    "state": "provisional" if line else "estimated",
                }
            )
    return rows


def _same(rows: Sequence[Mapping[str, Any]], before: Iterable[Settlement]) -> bool:
    """Whether nothing is other than it was. What is only foretold grows by itself and is no news."""

    def told(one: Mapping[str, Any]) -> tuple[Any, ...]:
        foretold = None if one["state"] == "estimated" else one["estimate"]
        return (
            one["charge_id"],
            one["currency"],
            foretold,
            one["billed"],
            one["effective"],
            one["lines"],
            one["state"],
        )

    return sorted(map(told, rows)) == sorted(told(one.model_dump()) for one in before)
