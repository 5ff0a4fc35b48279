"""The API of the small hospital, served over HTTP, with a token for each person."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from governance import clock
from governance.api import audit, changes, clusters, configuration, decisions, ground, quota, tokens
from governance.bootstrap import metadata
from governance.configuration.apply import Applier, apply
from governance.db.session import make_engine, transaction
from governance.http.ground import mount_ground
from governance.identity import tokens as token_rows
from governance.identity.model import EVERY_SCOPE
from governance.identity.people import person_by_name
from governance.settings import Database, Settings
from tests.configuration.manifests import example
from tests.http.site import listening

PEOPLE = ("okafor", "lindqvist", "haddad", "novak", "adeyemi", "sato", "brandt", "deployer")


@dataclass(frozen=True, slots=True)
class Api:
    """Where it listens, what is behind it, and the tokens by person."""

    url: str
    app: FastAPI
    engine: Engine
    tokens: dict[str, str]

    def call(self, person: str | None, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401
        """Call as this person, or as nobody."""
        headers = {"Authorization": f"Bearer {self.tokens[person]}"} if person else {}
        return httpx.request(method, f"{self.url}/api/v1{path}", headers=headers, timeout=20, **options)


def new_app(engine: Engine, settings: Settings | None = None) -> FastAPI:
    app = FastAPI(title="governance", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    mount_ground(app, engine, settings or Settings(environment="demo"))
    rooms = (configuration, quota, decisions, changes, clusters, tokens, audit)
    app.include_router(ground.api(*(room.router for room in rooms)))
    return app


def token_of(engine: Engine, person: str, scopes: tuple[str, ...] = EVERY_SCOPE) -> str:
    with transaction(engine) as session:
        return token_rows.create(
            session,
            person_id=person_by_name(session, person).id,
            name="test",
            scopes=scopes,
            valid_for=timedelta(days=1),
            now=clock.now(),
            actor=person,
        ).secret


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """With the example hospital applied."""
    yield from serve_example(tmp_path)


def serve_example(folder: Path, settings: Settings | None = None) -> Iterator[Api]:
    """Serve the API of the example hospital, on a database in this folder."""
    file, tokens_by_person = _built()
    shutil.copy(file, folder / "api.db")
    engine = make_engine(Database(url=f"sqlite:///{folder}/api.db"))
    app = new_app(engine, settings)
    with listening(app) as url:
        yield Api(url, app, engine, dict(tokens_by_person))
    engine.dispose()


@cache
def _built() -> tuple[Path, dict[str, str]]:
    """The hospital's database, built once and copied for each test: the tests would spend most of their time on it."""
    folder = Path(tempfile.mkdtemp(prefix="governance-tests-"))
    atexit.register(shutil.rmtree, folder)
    engine = make_engine(Database(url=f"sqlite:///{folder}/api.db"))
    metadata.create_all(engine)
    apply(engine, example(), Applier(None, "test"), clock.now())
    made = {person: token_of(engine, person) for person in PEOPLE}
    engine.dispose()  # the last connection writes everything from the log into the file
    return folder / "api.db", made
