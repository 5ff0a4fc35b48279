from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from governance.bootstrap import metadata
from governance.db.session import make_engine
from governance.settings import Database

pytest_plugins = ["tests.parts.fixtures"]

# A developer's own settings must not reach the tests; these two are the tests' own.
_OWN = {"GOVERNANCE_CACHE", "GOVERNANCE_RECORD"}
for name in [one for one in os.environ if one.startswith("GOVERNANCE_") and one not in _OWN]:
    del os.environ[name]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Settings of an empty database: each test that takes it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return Database(url=f"sqlite:///{tmp_path}/ledger.db")
    return Database(url=request.getfixturevalue("postgres_url"), pool_size=8)


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """An engine on an empty database with all tables."""
    made = make_engine(database)
    metadata.create_all(made)
    yield made
    made.dispose()
