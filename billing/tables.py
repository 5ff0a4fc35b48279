"""Batches of cost lines, and which of them are in force. The lines themselves are Parquet files (`billing.store`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, instant, key


class CostBatch(Table, table=True):
    """The lines of one billing period, as one execution of an export told them. Never changed."""

    __tablename__ = "cost_batch"
    __table_args__ = (UniqueConstraint("source", "export", "period", "sha256"),)

    id: UUID = key()
    source: str  # who told them: an installation's own name for it
    export: str  # which of its exports; empty where it has one
    period: str  # of the bill: 2026-11
    execution_id: str = ""  # the provider's own id of the execution
    sha256: str  # of what was read
    file: str  # the Parquet file's SHA-256, which is its name
    lines: int
    totals: dict[str, Any] = document()  # currency: {billed, effective}, each a decimal number as text
    created_at: datetime = instant()
    created_by: UUID = Field(foreign_key="person.id")


class CostHead(Table, table=True):
    """Which batch is in force: it replaces the one before it whole."""

    __tablename__ = "cost_head"

    source: str = Field(primary_key=True)
    export: str = Field(primary_key=True)
    period: str = Field(primary_key=True, index=True)
    batch_id: UUID = Field(foreign_key="cost_batch.id")
    since: datetime = instant()
