"""Tables of compliance."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, instant, key


class Attestor(Table, table=True):
    """Who may attest what, as the Attestor manifests say now: a row for each type that one may attest."""

    __tablename__ = "attestor"

    name: str = Field(primary_key=True)
    type: str = Field(primary_key=True)
    public_key: str  # Ed25519, PEM
    owner_id: UUID | None = Field(default=None, foreign_key="person.id")


class CheckpointRequirement(Table, table=True):
    """A type of checkpoint that a node requires of what runs there and below it."""

    __tablename__ = "checkpoint_requirement"

    node_id: UUID = Field(foreign_key="node.id", primary_key=True)
    type: str = Field(primary_key=True)
    age_max_s: int | None = None  # None: a checkpoint holds until it ends itself


class CheckpointRow(Table, table=True):
    """One signed statement. Rows are appended; of each type and digest the newest counts."""

    __tablename__ = "checkpoint"
    __table_args__ = (Index("ix_checkpoint_digest", "digest", "type"),)

    id: UUID = key()
    type: str
    result: str  # pass, fail
    digest: str  # sha256:...
    resource: str
    control: str = ""
    policy_digest: str = ""
    attestor: str
    key_id: str  # of the key that it was verified with
    at: datetime = instant()
    until: datetime | None = instant(optional=True)
    waiver: str = ""
    evidence: list[Any] = document(list)  # [{name, sha256}]
    envelope: dict[str, Any] = document()  # DSSE, as it was sent
    statement_digest: str = Field(unique=True)  # SHA-256 of the signed payload: the same statement again is no other
    recorded_at: datetime = instant()
    recorded_by: UUID = Field(foreign_key="person.id")


class CheckpointHead(Table, table=True):
    """The newest statement of each attestor of a type for a digest: what an admission reads, however many there are."""

    __tablename__ = "checkpoint_head"

    digest: str = Field(primary_key=True)
    type: str = Field(primary_key=True)
    attestor: str = Field(primary_key=True)
    checkpoint_id: UUID = Field(foreign_key="checkpoint.id")
    result: str
    at: datetime = instant()
    until: datetime | None = instant(optional=True)
