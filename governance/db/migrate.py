"""Bringing the database's tables to what this version needs.

The migrations are `alembic/` of the checkout; a wheel carries them as `governance/db/migrations/`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from alembic import command
from governance.db.failures import unavailable
from governance.db.session import make_engine
from governance.errors import Unavailable
from governance.settings import Database

_PACKAGED = Path(__file__).parent / "migrations"
_IN_CHECKOUT = Path(__file__).parents[2] / "alembic"


Direction = Callable[[Config, str], None]


def upgrade(database: Database, to: str = "head") -> tuple[str | None, str | None]:
    """Run the migrations up to the newest (or to this one), all or none.

    Returns:
        the migration before and after; None: empty.
    """
    return _run(database, command.upgrade, to)


def downgrade(database: Database, to: str) -> tuple[str | None, str | None]:
    """Undo the migrations down to this one (`base`: all, and the data with them), all or none."""
    return _run(database, command.downgrade, to)


def at(connection: Connection) -> str | None:
    """The migration that the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The migration that this version needs."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def require_newest(engine: Engine) -> None:
    """Raises Unavailable unless the database is at the migration that this version needs."""
    with engine.connect() as connection:
        found = at(connection)
    if found != newest():
        raise Unavailable(
            f"The database is at migration {found or 'none'}, and {newest()} is needed.",
            remedy="Run: governance migrate.",
        )


def _run(database: Database, direction: Direction, to: str) -> tuple[str | None, str | None]:
    patient = database.model_copy(update={"statement_timeout_ms": 0})  # copying a large table takes its time
    engine = make_engine(patient)
    try:
        with engine.begin() as connection:
            before = at(connection)
            direction(_config(connection), to)
            return before, at(connection)
    except (OperationalError, InterfaceError) as error:
        raise unavailable(error) from error
    finally:
        engine.dispose()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_PACKAGED if _PACKAGED.is_dir() else _IN_CHECKOUT).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
