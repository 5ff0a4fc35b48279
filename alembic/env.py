"""Runs migrations, on PostgreSQL and SQLite alike, in one transaction that nobody else migrates in meanwhile.

There is no `__init__.py` here: it would hide the library of the same name.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON, Connection, text
from sqlmodel.sql.sqltypes import AutoString

import billing
import governance
import webhooks
from alembic import context
from governance.db.base import metadata
from governance.db.session import make_engine
from governance.db.types import Exact, UtcDateTime
from governance.settings import load

ROOMS = (
    *sorted(
        one.name
        for package in (governance, webhooks, billing)
        for one in iter_modules(package.__path__, f"{package.__name__}.")
        if one.ispkg
    ),
    "billing",
)
_LOCK = 7_302_417  # any number that no other program uses on this database


def load_tables() -> None:
    """Hang every room's tables on the metadata."""
    for room in ROOMS:
        if find_spec(f"{room}.tables"):
            import_module(f"{room}.tables")


def render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:  # noqa: ANN401  (alembic's signature)
    """Column types in SQLAlchemy's own words, so that a migration means the same when our types change."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True).with_variant(sa.String(32), 'sqlite')"
    if kind == "type" and isinstance(item, Exact):
        return "sa.Numeric(38, 12).with_variant(sa.String(54), 'sqlite')"
    if kind == "type" and isinstance(item, JSON):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    return False


def run(connection: Connection) -> None:
    """Bring the database to the wanted migration."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    load_tables()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,  # SQLite cannot alter a table: it is copied
        render_item=render,
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with make_engine(load().database).begin() as opened:
        run(opened)
