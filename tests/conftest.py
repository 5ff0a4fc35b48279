from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine

from governance.bootstrap import metadata
from governance.db.session import make_engine
from governance.settings import Database
from tests import databases

pytest_plugins = ["tests.parts.fixtures"]

# A developer's own settings must not reach the tests; these two are the tests' own.
_OWN = {"GOVERNANCE_CACHE", "GOVERNANCE_RECORD"}
for name in [one for one in os.environ if one.startswith("GOVERNANCE_") and one not in _OWN]:
    del os.environ[name]

# Without settings of its own structlog draws every traceback with its sources, in colour: most of such a test's time.
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each test that takes it, or what follows, runs on SQLite and on PostgreSQL."""
    named: str = request.param
    return named


@pytest.fixture
def database(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Settings of an empty database."""
    if dialect == "sqlite":
        return Database(url=f"sqlite:///{tmp_path}/ledger.db")
    return Database(url=request.getfixturevalue("postgres_url"), pool_size=8)


@pytest.fixture
def engine(dialect: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine on a database of this test's own with all tables and no rows."""
    if dialect == "sqlite":
        with databases.empty() as lent:
            yield lent
        return
    made = make_engine(Database(url=request.getfixturevalue("postgres_url"), pool_size=8))
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def sqlite() -> Iterator[Engine]:
    """The same on SQLite alone: for tests to which it makes no difference."""
    with databases.empty() as lent:
        yield lent
