from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from sqlalchemy import Engine

from governance.policy.model import PolicyEngine
from tests.parts import browser as chromium
from tests.web import gallery, live


@pytest.fixture(scope="session")
def rules() -> PolicyEngine:
    """The packaged policies, compiled once."""
    return live.embedded()


@pytest.fixture(scope="session")
def pages(rules: PolicyEngine) -> Iterator[live.Pages]:
    """The pages, served; `site` puts them on a database of the test's own."""
    with live.serve(rules) as served:
        yield served


@pytest.fixture
def site(pages: live.Pages, engine: Engine, rules: PolicyEngine) -> Iterator[live.Live]:
    """The pages on the example hospital, with a denied scale in it."""
    with live.opened(pages, engine, rules) as one:
        yield one


@pytest.fixture(scope="module")
def samples_url() -> Iterator[str]:
    """The sample pages."""
    with gallery.serve() as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with chromium.start() as started:
        yield started
