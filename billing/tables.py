"""Batches of cost lines and which of them are in force, what they were allocated to, invoices, and months.

The lines themselves are Parquet files (`billing.store`). Rows are added and never changed, but for heads and months.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, exact, instant, key


class CostBatch(Table, table=True):
    """The lines of one billing period, as one execution of an export told them. Never changed."""

    __tablename__ = "cost_batch"
    __table_args__ = (UniqueConstraint("source", "export", "period", "execution_id", "sha256"),)

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


class AllocationRun(Table, table=True):
    """One allocation of a month's lines, all of them. The newest is in force; the close of the month pins it."""

    __tablename__ = "allocation_run"

    id: UUID = key()
    period: str = Field(index=True)  # 2026-11
    revision: int  # of the configuration whose rules, bindings and tree it went by
    digest: str  # SHA-256 of what went in and what came out
    files: list[Any] = document(list)  # SHA-256 of each file of lines
    tree: dict[str, Any] = document()  # name of each department and project: the way up, ids, its own first
    corrects: dict[str, Any] = document()  # closed month: files of lines that it has now
    at: datetime = instant()


class Told(Table, table=True):
    """What a month's lines say, before anything is made of them."""

    __tablename__ = "told"

    run_id: UUID = Field(foreign_key="allocation_run.id", primary_key=True)
    issuer: str = Field(primary_key=True)  # InvoiceIssuerName
    currency: str = Field(primary_key=True)
    invoice: str = Field(primary_key=True)  # InvoiceId; empty: the lines name none
    category: str = Field(primary_key=True)  # ChargeCategory
    commitment: str = Field(primary_key=True)  # CommitmentDiscountStatus; empty: none
    lines: int
    billed: Decimal = exact()
    effective: Decimal = exact()


class PostingRow(Table, table=True):
    """What a project owes in a run, for lines that are alike; see `billing.allocation.Posting`."""

    __tablename__ = "posting"
    __table_args__ = (Index(None, "run_id", "node_id"),)

    id: UUID = key()
    run_id: UUID = Field(foreign_key="allocation_run.id")
    node_id: UUID | None = Field(default=None, foreign_key="node.id")  # None: nobody owns it
    charge_id: UUID | None = Field(default=None, foreign_key="charge.id", index=True)
    rule: str
    issuer: str
    provider: str
    currency: str
    service: str
    category: str
    lines: int
    billed: Decimal = exact()
    effective: Decimal = exact()
    of_period: str = ""  # the closed month that it corrects


class Invoice(Table, table=True):
    """An invoice as somebody wrote it down. One with the same number that came later replaces it."""

    __tablename__ = "invoice"
    __table_args__ = (Index(None, "period", "issuer"),)

    id: UUID = key()
    issuer: str  # InvoiceIssuerName
    number: str  # InvoiceId
    period: str
    currency: str
    amount: Decimal = exact()  # without tax
    tax: Decimal = exact()
    recorded_at: datetime = instant()
    recorded_by: UUID = Field(foreign_key="person.id")


class GapReason(Table, table=True):
    """Why an invoice and its lines differ, as finance explains it: it counts as so much of the gap."""

    __tablename__ = "gap_reason"
    __table_args__ = (Index(None, "period"),)

    id: UUID = key()
    period: str
    issuer: str
    invoice: str = ""  # as the gap has it
    currency: str
    amount: Decimal = exact()
    reason: str
    at: datetime = instant()
    by: UUID = Field(foreign_key="person.id")


class Month(Table, table=True):
    """A month that was prepared for its close, or closed. One without a row is open."""

    __tablename__ = "month"

    period: str = Field(primary_key=True)
    run_id: UUID = Field(foreign_key="allocation_run.id")
    digest: str  # of the run: what was looked at is what is closed
    prepared_at: datetime = instant()
    prepared_by: UUID = Field(foreign_key="person.id")
    closed_at: datetime | None = instant(optional=True)
    closed_by: UUID | None = Field(default=None, foreign_key="person.id")


class Statement(Table, table=True):
    """What a department owes for a closed month, with its number."""

    __tablename__ = "statement"
    __table_args__ = (UniqueConstraint("period", "node_id", "currency"),)

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})  # gapless
    period: str
    node_id: UUID = Field(foreign_key="node.id")
    currency: str
    run_id: UUID = Field(foreign_key="allocation_run.id")
    total: Decimal = exact()
    issued_at: datetime = instant()
