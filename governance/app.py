"""Composition: which doors and rooms a listener has."""

from __future__ import annotations

from fastapi import Depends, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from billing import api as billing
from governance import __version__
from governance.api import audit, changes, checkpoints, clusters, configuration, decisions, jobs, quota, tokens
from governance.api.ground import api
from governance.bootstrap import Parts
from governance.db.session import reading
from governance.db.together import database_time
from governance.errors import DatabaseUnavailable
from governance.http.ground import mount_ground
from governance.http.permissions import public, refuse_undeclared
from governance.policy.factory import health
from governance.web.mount import mount_pages
from webhooks.cloud import routes as cloud
from webhooks.kubernetes import routes as kubernetes

HEALTH_PATHS = ("/healthz", "/readyz", "/metrics")


def webhook_app(parts: Parts) -> FastAPI:
    """The listener that clusters call: nothing on its way that an admission does not need."""
    app = FastAPI(title="governance webhook", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.door = parts.door()
    app.include_router(kubernetes.router())
    _add_health(app, parts)
    return app


def web_app(parts: Parts) -> FastAPI:
    """The listener for people and programs."""
    app = FastAPI(
        title="governance", version=__version__, docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json"
    )
    mount_ground(app, parts.engine, parts.settings)
    app.state.policy = parts.policy
    rooms = (configuration, quota, decisions, changes, checkpoints, clusters, tokens, audit, jobs, cloud, billing)
    app.include_router(api(*(room.router for room in rooms)))
    mount_pages(app, parts.settings, lambda: parts.policy.rules)
    _add_health(app, parts)
    refuse_undeclared(app)
    return app


def _add_health(app: FastAPI, parts: Parts) -> None:
    def healthz() -> Response:
        """The process answers."""
        return Response("ok\n", media_type="text/plain")

    def readyz() -> Response:
        """Everything that an admission needs answers."""
        failing = [*_database_problem(parts), *_policy_problem(parts)]
        text = "".join(f"{one}\n" for one in failing) or "ok\n"
        return Response(text, status_code=503 if failing else 200, media_type="text/plain")

    def metrics() -> Response:
        """Prometheus metrics of this process."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    for path, answer in zip(HEALTH_PATHS, (healthz, readyz, metrics), strict=True):
        app.add_api_route(path, answer, dependencies=[Depends(public)], include_in_schema=False)


def _database_problem(parts: Parts) -> list[str]:
    try:
        with reading(parts.engine) as session:
            database_time(session)
    except DatabaseUnavailable as error:
        return [f"database: {error.detail}"]
    return []


def _policy_problem(parts: Parts) -> list[str]:
    found = health(parts.policy)
    return [] if found.ready else [f"policy: {found.detail}"]
