"""The table of decisions: append-only; a repeated identical denial is one row with a count."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, instant, key


class DecisionRow(Table, table=True):
    """What was asked, what was known, what was answered, and by which policy and configuration."""

    __tablename__ = "decision"

    id: UUID = key()
    at: datetime = instant(index=True)
    outcome: str  # allow, deny
    door: str  # kubernetes, cloud, pipeline
    scope: str  # cluster, account, subscription
    request_uid: str = Field(index=True)
    actor: str = Field(index=True)
    person_id: UUID | None = Field(default=None, foreign_key="person.id")
    operation: str
    kind: str
    namespace: str
    name: str
    object_uid: str
    project_id: UUID | None = Field(default=None, foreign_key="node.id", index=True)
    digest: str
    subject: str
    repeat_key: str | None = Field(default=None, unique=True)  # of a denial: the same key is the same denial
    count: int = 1
    last_seen_at: datetime = instant()
    violations: list[Any] = document(list)
    warnings: list[Any] = document(list)
    approvals: list[Any] = document(list)  # whose approval would answer it: [{rule, group, minimum, deny_minimum}]
    askable: bool = False
    request: dict[str, Any] = document()  # the canonical request, redacted
    changes_before: dict[str, Any] = document()  # what stood at the paths that the request changes
    facts: dict[str, Any] = document()  # the document that policy evaluated
    path: list[str] = document(list)
    policy_digest: str
    config_revision: int
    charge_id: UUID | None = None
    grant_id: UUID | None = None
