"""Fixtures over the real parts. Servers live for the session; what a test changes is its own.

A test that uses one is marked `real`.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.parts import browser, cluster, oracle, postgres, smtp


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Postgres]:
    """One PostgreSQL server, fast rather than durable."""
    with postgres.start(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: postgres.Postgres) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database of this test's own."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cluster.Cluster]:
    """One control plane with two nodes; a test makes a namespace of its own."""
    with cluster.start(tmp_path_factory.mktemp("cluster")) as control_plane:
        yield control_plane


@pytest.fixture(scope="session")
def quota_oracle() -> Iterator[oracle.Oracle]:
    """Kubernetes' own quota arithmetic."""
    with oracle.start() as running:
        yield running


@pytest.fixture
def smtp_server() -> Iterator[smtp.Smtp]:
    """A mail server with no messages yet."""
    with smtp.start() as server:
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a module: Playwright keeps an event loop in this thread, which others must not meet."""
    with browser.start() as running:
        yield running
