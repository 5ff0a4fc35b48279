"""The outbox: what is to be told, written in the transaction that it tells of."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from governance.db.base import Table
from governance.db.columns import document, instant, key


class OutboxMessage(Table, table=True):
    """One message to one receiver."""

    __tablename__ = "outbox_message"

    id: UUID = key()
    created_at: datetime = instant()
    channel: str  # email, webhook
    receiver: str  # e-mail address, URL
    topic: str  # change.submitted, change.decided, ...
    subject_id: str
    payload: dict[str, Any] = document()
    attempts: int = 0
    next_attempt_at: datetime | None = instant(optional=True, index=True)  # None: delivered, or given up
    delivered_at: datetime | None = instant(optional=True)
    last_error: str = ""
