"""Budgets, and what was spent of them: money as bills have it, not as somebody hoped."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import exact, instant


class Budget(Table, table=True):
    """What a node, with all below it, may spend a month: a Budget manifest."""

    __tablename__ = "budget"

    name: str = Field(primary_key=True)
    node_id: UUID = Field(foreign_key="node.id", index=True)
    per_month: Decimal = exact()
    currency: str
    reached: str  # deny, approval: what becomes of requests for more once it is reached
    revision: int  # of the configuration that says so


class Spend(Table, table=True):
    """What a node, with all below it, was charged for a month so far, and what it comes to by its end.

    Written by whoever allocates bills; the newest replaces the one before it."""

    __tablename__ = "spend"

    node_id: UUID = Field(foreign_key="node.id", primary_key=True)
    currency: str = Field(primary_key=True)
    starts_at: datetime = instant()
    period: str = Field(primary_key=True)  # 2026-11
    ends_at: datetime = instant()
    spent: Decimal = exact()  # allocated so far
    exposure: Decimal = exact()  # with what stands, until the month ends
    as_of: datetime = instant()
