from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.identity import issuer, organisation


@pytest.fixture
def hospital(engine: Engine) -> organisation.Hospital:
    """A small hospital, on SQLite and on PostgreSQL."""
    return organisation.build(engine)


@pytest.fixture(scope="module")
def running_issuer() -> Iterator[issuer.Issuer]:
    """An identity provider that can err."""
    with issuer.running() as one:
        yield one
