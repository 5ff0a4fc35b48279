"""Who is calling, and whether they may: each route says so once, with `Depends(requires(...))` or `Depends(public)`.

A route that says nothing stands in `undeclared_routes`: a test fails, and the service does not start.

    @router.get("/changes")
    def changes(principal: Annotated[Principal, Depends(requires(Permission.CHANGE_READ))]) -> ...

`requires` opens the route to whoever has the permission somewhere; a use case on a node still asks `identity.allows`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.routing import Mount

from governance.db.session import reading, transaction
from governance.errors import DatabaseUnavailable, Forbidden, Unauthenticated
from governance.http import sessions
from governance.http.rates import count
from governance.identity import tokens
from governance.identity.model import Permission, Principal, allows_somewhere

CSRF_FIELD = "csrf_token"
CSRF_HEADER = "x-csrf-token"
BACKGROUND_HEADER = "governance-background"
"""A page that asks for news by itself sends this, so that it keeps nobody signed in."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_bearer = HTTPBearer(
    auto_error=False, scheme_name="token", description="A session token of `governance login`, or an API token."
)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def posted_csrf_token(request: Request) -> str:
    """The CSRF token that the request carries: in a header, or in the form. Async because a body is read only so."""
    if request.method in SAFE_METHODS or CSRF_HEADER in request.headers:
        return request.headers.get(CSRF_HEADER, "")
    if request.headers.get("content-type", "").startswith(_FORMS):
        posted = (await request.form()).get(CSRF_FIELD, "")
        return posted if isinstance(posted, str) else ""
    return ""


@lru_cache(maxsize=len(Permission))
def requires(permission: Permission) -> Callable[..., Principal]:
    """A dependency that answers who is calling, if they have this permission somewhere.

    It raises Unauthenticated, or Forbidden (no such permission, or a form that is not from this session).
    The principal is also `request.state.principal`; in a browser `request.state.csrf_token` goes into each form.
    """

    def dependency(request: Request, bearer: Bearer, posted: Annotated[str, Depends(posted_csrf_token)]) -> Principal:
        principal = _by_token(request, bearer.credentials) if bearer else _by_cookie(request, posted)
        if principal is None:
            raise Unauthenticated("You are not signed in.", remedy="Sign in, or send a valid token.")
        if not allows_somewhere(principal, permission):
            raise Forbidden(
                f"{principal.display_name} may not do this: {permission.doc}",
                remedy=f"Ask an administrator for a role, or use a token, with {permission.value}.",
            )
        return principal

    return dependency


def public() -> None:
    """Declares a route that anybody may call; nobody is looked up."""


def visitor(request: Request) -> Principal | None:
    """Declares a route that anybody may call, and answers who is signed in by cookie, if somebody is."""
    return _by_cookie(request, posted=None)


def undeclared_routes(app: FastAPI, *, mounts: frozenset[str] = frozenset({"static"})) -> list[str]:
    """The routes that declare no permission, as `METHODS PATH`. `mounts` names what may be mounted without."""
    declared = {requires(permission) for permission in Permission} | {public, visitor}
    found = []
    for context in iter_route_contexts(app.routes):
        dependant = getattr(context, "dependant", None)
        if dependant is None:
            allowed = isinstance(context.original_route, Mount) and context.name in mounts
            undeclared = not allowed and context.path != app.openapi_url
        else:
            undeclared = declared.isdisjoint(_calls(dependant))
        if undeclared:
            found.append(f"{','.join(sorted(context.methods or ())) or 'ANY'} {context.path}")
    return found


def refuse_undeclared(app: FastAPI) -> None:
    """Raises RuntimeError if a route declares no permission: a mistake of ours, to be met before anybody else does."""
    if found := undeclared_routes(app):
        raise RuntimeError(f"routes without a declared permission: {', '.join(found)}")


def _calls(dependant: Dependant) -> Iterator[Callable[..., object]]:
    for below in dependant.dependencies:
        if below.call is not None:
            yield below.call
        yield from _calls(below)


def _by_cookie(request: Request, posted: str | None) -> Principal | None:
    state = request.app.state
    token = request.cookies.get(sessions.cookies(state.settings).session)
    if not token:
        return None
    now = state.clock()
    with reading(state.engine) as session:
        found = sessions.find_session(session, token, now, timedelta(minutes=state.settings.web.session_idle_minutes))
    if found is None:
        return None
    if found.note_use and BACKGROUND_HEADER not in request.headers:
        with suppress(DatabaseUnavailable), transaction(state.engine) as session:  # not worth failing the request for
            sessions.note_use(session, token, now)
    if posted is not None and request.method not in SAFE_METHODS and not _same(posted, found.csrf_token):
        raise Forbidden(
            "This form does not belong to your present session.", remedy="Open the page again and send it once more."
        )
    request.state.principal = found.principal
    request.state.csrf_token = found.csrf_token
    return found.principal


def _same(posted: str, expected: str) -> bool:
    return hmac.compare_digest(posted.encode(), expected.encode())


def _by_token(request: Request, secret: str) -> Principal:
    state = request.app.state
    now = state.clock()
    with reading(state.engine) as session:
        found = tokens.lookup(session, secret, now)
    if found is None or found.principal.token_id is None:
        count(request, "wrong_token")
        raise Unauthenticated("The token is unknown, expired or revoked.", remedy="Run: governance login.")
    if found.note_use:
        with suppress(DatabaseUnavailable), transaction(state.engine) as session:  # not worth failing the request for
            tokens.note_use(session, found.principal.token_id, now)
    request.state.principal = found.principal
    return found.principal
