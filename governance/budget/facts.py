"""What an admission reads of budgets, as part of its one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, cast, select
from sqlmodel import col

from governance.budget.tables import Budget, Spend
from governance.db.elements import among, keys_in
from governance.units import in_units

MONEY = "credits"
"""Under this name the ledger's units of money are computed: millionths, rounded up."""


@dataclass(frozen=True, slots=True)
class BudgetFact:
    """A budget with what was spent of it this month. `as_of` None: nothing was allocated yet. Money in millionths."""

    name: str
    node_id: str
    currency: str
    reached: str
    budget: int
    spent: int
    exposure: int
    as_of: datetime | None


def budgets_select(path: ColumnElement[Any], now: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """The budgets on a path, with this month's spend in their currency.

    Args:
        path: SQL that yields a JSON list of node ids.
        now: the database's time.
    """
    this_month = and_(
        col(Spend.node_id) == col(Budget.node_id),
        col(Spend.currency) == col(Budget.currency),
        col(Spend.starts_at) <= now,
        col(Spend.ends_at) > now,
    )
    columns = (
        col(Budget.name),
        col(Budget.node_id),
        col(Budget.currency),
        col(Budget.reached),
        cast(col(Budget.per_month), Text).label("per_month"),  # facts come as JSON, whose numbers are DOUBLEs
        cast(col(Spend.spent), Text).label("spent"),
        cast(col(Spend.exposure), Text).label("exposure"),
        col(Spend.as_of),
    )
    joined = select(*columns).join_from(Budget, Spend, this_month, isouter=True)
    return joined.where(among(col(Budget.node_id), keys_in(path))).order_by(col(Budget.name))


def budgets_from(rows: Iterable[Mapping[str, Any]]) -> tuple[BudgetFact, ...]:
    """The rows as they were read."""
    return tuple(
        BudgetFact(
            name=row["name"],
            node_id=str(row["node_id"]),
            currency=row["currency"],
            reached=row["reached"],
            budget=_units(row["per_month"]),
            spent=_units(row["spent"]),
            exposure=_units(row["exposure"]),
            as_of=row["as_of"],
        )
        for row in rows
    )


def _units(amount: Decimal | str | None) -> int:
    """Millionths, rounded up. More was given back than was charged: then nothing was spent."""
    return in_units(MONEY, max(Decimal(0), Decimal(amount))) if amount is not None else 0
