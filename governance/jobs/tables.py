"""Jobs: what takes longer than an answer may."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, instant, key


class Job(Table, table=True):
    """Work that a worker does and its asker follows."""

    __tablename__ = "job"

    id: UUID = key()
    kind: str  # billing.import, ...
    parameters: dict[str, Any] = document()
    created_at: datetime = instant()
    created_by: UUID = Field(foreign_key="person.id", index=True)
    attempts: int = 0
    next_attempt_at: datetime | None = instant(optional=True, index=True)  # None: it ended
    phase: str = "waiting"  # what is being done, for people
    done: int = 0  # of `total`, in whatever the phase counts
    total: int = 0
    ended_at: datetime | None = instant(optional=True)
    result: dict[str, Any] | None = document(None)  # what came of it; None: not ended, or failed
    problem: dict[str, Any] | None = document(None)  # why it failed, as a problem document (RFC 9457)
