"""Reading settlements: what was foretold, what was billed, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlmodel import Session, col, select

from governance.identity.organisation import nodes_below
from governance.quota.tables import Charge, ChargeResource, Settlement, SettlementRun


@dataclass(frozen=True, slots=True)
class Settled:
    """A charge of a month. `actual` is what is charged back (EffectiveCost); `billed` is what ties to the invoice."""

    charge: Charge
    resource: str
    machine: str
    period: str
    currency: str
    estimate: Decimal
    billed: Decimal
    actual: Decimal
    lines: int
    billed_through: datetime | None
    state: str

    @property
    def difference(self) -> Decimal:
        """By how much the bill is above what was foretold."""
        return self.actual - self.estimate


@dataclass(frozen=True, slots=True)
class Month:
    """What a node cost in a month. `estimate` and `actual`: of what lines of the bill have come for; `foretold`: of the
    rest."""

    month: str
    currency: str
    estimate: Decimal
    actual: Decimal
    foretold: Decimal
    charges: int
    billed_through: datetime | None


def run_in_force(session: Session, period: str) -> UUID | None:
    """The newest reckoning of a month; None: none was made."""
    newest = select(SettlementRun.id).where(SettlementRun.period == period).order_by(col(SettlementRun.id).desc())
    return session.exec(newest.limit(1)).first()


def settlements_of(session: Session, run: UUID) -> Sequence[Settlement]:
    """The rows of a reckoning."""
    return session.exec(select(Settlement).where(Settlement.run_id == run)).all()


def settled_at(session: Session, node_id: UUID, period: str) -> list[Settled]:
    """What a node's charges, and those below it, cost in a month; the dearest first."""
    run = run_in_force(session, period)
    if run is None:
        return []
    mine = select(Settlement, Charge).join(Charge, col(Charge.id) == col(Settlement.charge_id))
    below = nodes_below(session, node_id)
    rows = session.exec(mine.where(Settlement.run_id == run, col(Charge.project_id).in_(below))).all()
    things = {one.charge_id: one for one in _things(session, [charge.id for _, charge in rows])}
    found = [_settled(row, charge, things.get(charge.id), period) for row, charge in rows]
    return sorted(found, key=lambda one: (one.currency, -one.actual, -one.estimate, one.charge.native_id))


def months_of(session: Session, node_id: UUID) -> list[Month]:
    """Every month that was reckoned, by currency, the newest first, as far as it cost the node anything."""
    periods = session.exec(select(SettlementRun.period).distinct()).all()
    settled = ((period, settled_at(session, node_id, period)) for period in sorted(periods, reverse=True))
    return [
        _month(period, currency, [one for one in rows if one.currency == currency])
        for period, rows in settled
        for currency in sorted({one.currency for one in rows})
    ]


def _month(period: str, currency: str, rows: Sequence[Settled]) -> Month:
    billed = [one for one in rows if one.lines]
    return Month(
        month=period,
        currency=currency,
        estimate=sum((one.estimate for one in billed), Decimal(0)),
        actual=sum((one.actual for one in billed), Decimal(0)),
        foretold=sum((one.estimate for one in rows if not one.lines), Decimal(0)),
        charges=len(rows),
        billed_through=max((one.billed_through for one in billed if one.billed_through), default=None),
    )


def _things(session: Session, charges: Sequence[UUID]) -> Sequence[ChargeResource]:
    of_them = select(ChargeResource).where(col(ChargeResource.charge_id).in_(charges), ChargeResource.role == "machine")
    return session.exec(of_them).all()


def _settled(row: Settlement, charge: Charge, thing: ChargeResource | None, period: str) -> Settled:
    return Settled(
        charge=charge,
        resource=thing.resource_id if thing else "",
        machine=thing.machine if thing else "",
        period=period,
        currency=row.currency,
        estimate=row.estimate,
        billed=row.billed,
        actual=row.effective,
        lines=row.lines,
        billed_through=row.billed_through,
        state=row.state,
    )
