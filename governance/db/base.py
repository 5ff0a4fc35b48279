"""The one metadata that every table hangs on, with a naming convention so that migrations can name what they drop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Table as SqlTable
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(SQLModel):
    """Base of every table. Tables are never inputs: SQLModel does not validate them."""


def table_of(model: type[Table]) -> SqlTable:
    """The Core table behind a table class."""
    table: SqlTable = model.__table__  # type: ignore[attr-defined]  # set by SQLModel on table classes
    return table


class NewRow(NamedTuple):
    """A row to be inserted: its table, and all its values by column. Made in a fraction of an instance's time."""

    table: type[Table]
    values: Mapping[str, Any]


metadata = SQLModel.metadata
