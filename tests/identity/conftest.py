from __future__ import annotations

from collections.abc import Iterator

import pytest

from governance.settings import Database
from tests.identity import issuer, organisation


@pytest.fixture
def hospital(database: Database) -> Iterator[organisation.Hospital]:
    """A small hospital, on SQLite and on PostgreSQL."""
    built = organisation.build(database)
    yield built
    built.engine.dispose()


@pytest.fixture(scope="module")
def running_issuer() -> Iterator[issuer.Issuer]:
    """An identity provider that can err."""
    with issuer.running() as one:
        yield one
