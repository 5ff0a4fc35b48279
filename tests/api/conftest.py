"""The API of the small hospital, served over HTTP, with a token for each person."""

from __future__ import annotations

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

from billing import api as billing
from governance import clock
from governance.api import audit, changes, checkpoints, clusters, configuration, decisions, ground, jobs, quota, tokens
from governance.db.session import make_engine, transaction
from governance.http.ground import mount_ground, set_state
from governance.identity import tokens as token_rows
from governance.identity.model import EVERY_SCOPE
from governance.identity.people import person_by_name
from governance.settings import Billing, Database, Settings
from tests.configuration.manifests import apply_example
from tests.databases import begin
from tests.http.site import listening
from webhooks.cloud import routes as cloud

PEOPLE = ("okafor", "lindqvist", "haddad", "novak", "adeyemi", "sato", "brandt", "bauer", "deployer")
_FOLDER = tempfile.TemporaryDirectory(prefix="governance-tests-")
_DEMO = Settings(environment="demo", billing=Billing(folder=Path(_FOLDER.name)))


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
    mount_ground(app, engine, settings or _DEMO)
    rooms = (configuration, quota, decisions, changes, checkpoints, clusters, tokens, audit, jobs, cloud, billing)
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
def api(sqlite: Engine) -> Iterator[Api]:
    """With the example hospital applied."""
    yield from serve_example(sqlite)


def serve_example(engine: Engine, settings: Settings | None = None) -> Iterator[Api]:
    """Serve the API of the example hospital, on an empty database."""
    tokens_by_person = begin(engine, _with_tokens)
    if settings:
        app = new_app(engine, settings)
    else:
        app = _app()
        set_state(app, engine, _DEMO)
    with listening(app) as url:
        yield Api(url, app, engine, dict(tokens_by_person))


@cache
def _app() -> FastAPI:
    """Made once, since that takes longer than most tests; whoever serves it says on which engine."""
    return new_app(make_engine(Database()), _DEMO)


def _with_tokens(engine: Engine) -> dict[str, str]:
    apply_example(engine)
    return {person: token_of(engine, person) for person in PEOPLE}
