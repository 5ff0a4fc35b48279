"""The inbox: what clouds sent, stored before anything is made of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, instant, key


class InboxEvent(Table, table=True):
    """One event, once, by whatever way and however often it came."""

    __tablename__ = "inbox_event"
    __table_args__ = (UniqueConstraint("event_id", "source"),)

    id: UUID = key()
    source: str
    event_id: str
    operation: str | None = Field(default=None, unique=True)  # the provider's own id of what was done, if it has one
    type: str
    provider: str  # aws, azure
    scope: str = Field(index=True)  # account or subscription
    region: str = ""
    at: datetime = instant()  # when it happened, as the cloud says
    received_at: datetime = instant(index=True)
    way: str  # http, sqs
    data: dict[str, Any] = document()
    attempts: int = 0
    next_attempt_at: datetime | None = instant(optional=True, index=True)  # None: nothing is left to be done
    handled_at: datetime | None = instant(optional=True)
    outcome: str = ""  # one sentence: what became of it, or why it waits
