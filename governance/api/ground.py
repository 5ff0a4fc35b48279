"""The API: everything under /api/v1, each error a problem document, each route with its permission declared.

app.include_router(ground.api(quota.router, decisions.router, ...))
"""

from __future__ import annotations

from fastapi import APIRouter

from governance.api import session
from governance.api.problems import EVERYWHERE

PREFIX = "/api/v1"
DESCRIPTION = "Quota, change control and compliance, decided at admission."


def api(*routers: APIRouter) -> APIRouter:
    """The API of these routers, and of sign-in for programs."""
    whole = APIRouter(prefix=PREFIX, responses=EVERYWHERE)
    for router in (session.router, *routers):
        whole.include_router(router)
    return whole
