"""Tables of compliance: who may attest what, what a department requires, and the checkpoints that were recorded."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, instant, key


class Attestor(Table, table=True):
    """Who may attest, and what: an Attestor manifest."""

    __tablename__ = "attestor"

    name: str = Field(primary_key=True)
    public_key: str  # Ed25519, PEM
    types: list[str] = document(list)
    revision: int  # of the configuration that says so


class CheckpointRule(Table, table=True):
    """Which types a department requires, for itself and below: a RequiredCheckpoint manifest."""

    __tablename__ = "checkpoint_rule"

    name: str = Field(primary_key=True)
    node_id: UUID = Field(foreign_key="node.id", index=True)
    types: list[str] = document(list)
    environments: list[str] = document(list)  # empty: all
    max_age_days: int | None = None


class CheckpointRecord(Table, table=True):
    """A checkpoint as it was recorded, with its envelope. Never changed."""

    __tablename__ = "checkpoint"
    __table_args__ = (UniqueConstraint("sha256"),)

    id: UUID = key()
    type: str
    digest: str = Field(index=True)
    result: str  # pass, fail
    at: datetime = instant()
    until: datetime | None = instant(optional=True)
    control: str = ""
    resource: str = ""
    policy_digest: str = ""
    waiver: str = ""
    evidence: list[Any] = document(list)  # [{uri, sha256}]
    attestor: str
    public_key: str  # that verified it, as it was then
    sha256: str  # of what was signed
    envelope: str  # as it came
    recorded_at: datetime = instant()
    recorded_by: UUID = Field(foreign_key="person.id")


class CheckpointHead(Table, table=True):
    """The newest checkpoint of a type for a digest: what an admission reads."""

    __tablename__ = "checkpoint_head"

    digest: str = Field(primary_key=True)
    type: str = Field(primary_key=True)
    checkpoint_id: UUID = Field(foreign_key="checkpoint.id")
    result: str
    at: datetime = instant()
    until: datetime | None = instant(optional=True)
