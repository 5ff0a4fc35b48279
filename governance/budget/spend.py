"""What was spent is reported to budgets by whoever allocates bills."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import Session, col, select

from governance.budget.facts import BudgetFact, budgets_from
from governance.budget.tables import Budget, Spend
from governance.units import Period


@dataclass(frozen=True, slots=True)
class Spent:
    """What a node, with all below it, was charged so far, and what it comes to by the end of the month."""

    node_id: UUID
    currency: str
    spent: Decimal
    exposure: Decimal


def report(session: Session, period: Period, spent: Iterable[Spent], as_of: datetime) -> None:
    """Put this in the place of what was known of a month, in the caller's transaction."""
    session.execute(delete(Spend).where(col(Spend.period) == str(period)))
    session.add_all(
        Spend(
            node_id=one.node_id,
            currency=one.currency,
            period=str(period),
            starts_at=period.start,
            ends_at=period.end,
            spent=one.spent,
            exposure=one.exposure,
            as_of=as_of,
        )
        for one in spent
    )
    session.flush()


def budgets_of(session: Session, node_ids: Iterable[UUID], now: datetime) -> tuple[BudgetFact, ...]:
    """The budgets of these nodes, with what was spent of them in the month of `now`."""
    rows = session.exec(select(Budget).where(col(Budget.node_id).in_(list(node_ids))).order_by(Budget.name)).all()
    found = []
    for one in rows:
        this_month = select(Spend).where(
            Spend.node_id == one.node_id, Spend.currency == one.currency, Spend.starts_at <= now, Spend.ends_at > now
        )
        spend = session.exec(this_month).one_or_none()
        known = {name: getattr(spend, name) if spend else None for name in ("spent", "exposure", "as_of")}
        found.append({**one.model_dump(), **known})
    return budgets_from(found)
