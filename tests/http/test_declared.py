from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from governance.app import web_app
from governance.bootstrap import build
from governance.http.permissions import undeclared_routes
from governance.settings import Database, Settings
from tests.http.site import demo, production


@pytest.mark.parametrize("settings", [demo, production])
def test_each_route_of_the_service_declares_who_may_call_it(settings: Callable[..., Settings], tmp_path: Path) -> None:
    parts = build(settings(database=Database(url=f"sqlite:///{tmp_path}/app.db")))
    assert undeclared_routes(web_app(parts)) == []
    parts.engine.dispose()
