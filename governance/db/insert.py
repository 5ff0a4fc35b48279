"""INSERT with ON CONFLICT, as both databases have it."""

from __future__ import annotations

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from governance.db.base import Table, table_of


def insert_into(session: Session, model: type[Table]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT into a table, on which `on_conflict_do_nothing` and `on_conflict_do_update` can be said."""
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(table_of(model)) if on_postgresql else sqlite.insert(table_of(model))
