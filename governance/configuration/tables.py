"""Tables of the configuration: every apply is a revision; an item is valid [from, to) in revisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, instant, key


class ConfigRevision(Table, table=True):
    """One apply."""

    __tablename__ = "config_revision"

    number: int = Field(
        primary_key=True, sa_column_kwargs={"autoincrement": False}
    )  # gapless: assigned under the head's lock
    applied_at: datetime = instant()
    applied_by: UUID | None = Field(default=None, foreign_key="person.id")
    digest: str  # SHA-256 of the canonical set of items in force after it
    changes: list[Any] = document(list)  # [{action, kind, name}]


class ConfigItem(Table, table=True):
    """A manifest as it stood from one revision to another."""

    __tablename__ = "config_item"
    __table_args__ = (
        Index(
            "uq_config_item_in_force",
            "kind",
            "name",
            unique=True,
            postgresql_where=text("to_revision IS NULL"),
            sqlite_where=text("to_revision IS NULL"),
        ),
    )

    id: UUID = key()
    kind: str = Field(index=True)
    name: str
    spec: dict[str, Any] = document()
    from_revision: int = Field(foreign_key="config_revision.number", index=True)
    to_revision: int | None = Field(default=None, index=True)
