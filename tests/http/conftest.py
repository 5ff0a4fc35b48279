from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from sqlalchemy import Engine

from governance.errors import Conflict, DatabaseUnavailable
from governance.http.permissions import public, requires
from governance.identity.model import Permission, Principal
from governance.settings import Settings
from governance.web import signin
from tests import databases
from tests.http.site import Site, demo, serving
from tests.identity import organisation

Anybody = Depends(public)
DEMO = demo(web={"body_bytes_max": 2000})
SignedIn = Annotated[Principal, Depends(requires(Permission.PROFILE))]


class Wish(BaseModel):
    """A body with something secret in it."""

    replicas: int
    password: str = ""


@pytest.fixture
def hospital(sqlite: Engine) -> organisation.Hospital:
    """A small hospital of the test's own."""
    return organisation.build(sqlite)


@pytest.fixture
def own_site(hospital: organisation.Hospital) -> Iterator[Site]:
    """As `site`, for a test that changes what others count on."""
    with serving(hospital, DEMO, mount) as one:
        yield one


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The demo's sign-in, and a few routes that do what routes do."""
    with databases.empty() as engine, serving(organisation.build(engine), DEMO, mount) as one:
        yield one


def mount(app: FastAPI, settings: Settings) -> None:
    signin.mount(app, settings)

    @app.get("/csrf")
    def csrf(request: Request, _principal: SignedIn) -> str:
        return str(request.state.csrf_token)

    @app.get("/page", dependencies=[Anybody])
    def page(request: Request) -> dict[str, str]:
        return {"nonce": request.state.csp_nonce, "request_id": request.state.request_id}

    @app.get("/me")
    @app.post("/me")
    @app.put("/me")
    @app.get("/api/me")
    def me(principal: SignedIn) -> str:
        return principal.name

    @app.get("/configuration")
    def configuration(principal: Annotated[Principal, Depends(requires(Permission.CONFIGURATION_APPLY))]) -> str:
        return principal.name

    @app.post("/wish", dependencies=[Anybody])
    def wish(wish: Wish) -> int:
        return wish.replicas

    @app.post("/raw", dependencies=[Anybody])
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.get("/broken", dependencies=[Anybody])
    @app.get("/api/broken", dependencies=[Anybody])
    def broken() -> None:
        raise RuntimeError("SELECT secret FROM vault")

    @app.get("/conflict", dependencies=[Anybody])
    def conflict() -> None:
        raise Conflict("Somebody <b>else</b> was first.", field="version", remedy="Read it again.")

    @app.get("/gone", dependencies=[Anybody])
    def gone() -> None:
        raise DatabaseUnavailable("The database does not answer.")
