"""The ground under pages and API: what the app knows, what wraps each request, how errors are answered."""

from __future__ import annotations

from fastapi import FastAPI
from sqlalchemy import Engine

from governance import clock as wall
from governance.clock import Clock
from governance.http import problems
from governance.http.listeners import refuse_unsafe
from governance.http.rates import Rates
from governance.http.security import BodyLimit, RequestId, SafeHeaders, SameOrigin, own_origins
from governance.identity.oidc import Provider
from governance.settings import Settings


def mount_ground(app: FastAPI, engine: Engine, settings: Settings, *, clock: Clock = wall.now) -> None:
    """Make an app safe to mount routes on.

    Raises BadInput if these settings would be unsafe to serve with.
    """
    refuse_unsafe(settings)
    set_state(app, engine, settings, clock=clock)
    problems.install(app)
    # The last one added is the outermost.
    app.add_middleware(SameOrigin, origins=own_origins(settings))
    uploads = {"/api/v1/billing/imports": settings.billing.upload_bytes_max}
    app.add_middleware(BodyLimit, bytes_max=settings.web.body_bytes_max, larger=uploads)
    app.add_middleware(problems.CatchAll)
    app.add_middleware(SafeHeaders, tls=settings.web.public_url.startswith("https://"))
    app.add_middleware(RequestId)


def set_state(app: FastAPI, engine: Engine, settings: Settings, *, clock: Clock = wall.now) -> None:
    """What routes find in `request.app.state`: `engine`, `settings`, `clock`, `rates` and `oidc`."""
    app.state.engine = engine
    app.state.settings = settings
    app.state.clock = clock
    app.state.rates = Rates(settings.web)
    app.state.oidc = Provider(settings.oidc, redirect_uri=f"{settings.web.public_url.rstrip('/')}/sign-in/callback")
