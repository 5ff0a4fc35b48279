"""Tables of the audit log: events, and the sealed segments that chain them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, instant, key


class AuditEvent(Table, table=True):
    """Who did what to what, when, why, before and after. Written in the transaction that it describes."""

    __tablename__ = "audit_event"

    id: UUID = key()
    at: datetime = instant(index=True)
    actor: str  # person name, service token name, or cluster user
    action: str = Field(index=True)  # admission.deny, change.approve, configuration.apply, ...
    subject_kind: str
    subject_id: str = Field(index=True)
    reason: str = ""
    before: dict[str, Any] | None = document(None)
    after: dict[str, Any] | None = document(None)
    request_id: str = ""
    segment: int | None = Field(default=None, index=True)
    position: int | None = None  # in the segment


class AuditSegment(Table, table=True):
    """A Merkle tree over consecutive events whose head names the previous head, signed."""

    __tablename__ = "audit_segment"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int
    root: str
    previous: str
    head: str = Field(unique=True)
    signature: str
    key_id: str
    sealed_at: datetime = instant()
    shipped_at: datetime | None = instant(optional=True, index=True)  # when its head left this host
