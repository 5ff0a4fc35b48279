"""Errors as answers: a problem document (RFC 9457) for programs, an error page for people.

A problem says what happened, in which field, and what to do next; never a stack trace, a statement or a secret. Its
`request_id` is the one in the logs.
"""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from governance.errors import GovernanceError, TooManyRequests, Unauthenticated

MEDIA_TYPE = "application/problem+json"
SIGN_IN_PATH = "/sign-in"
_API_PREFIX = "/api/"
_RETRY_AFTER_S = "5"
_FIELD_ERRORS_MAX = 50

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field that is wrong. `location`: body, query, path, header or cookie."""

    field: str
    detail: str
    location: str = "body"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is told about an error. `type` is stable: programs may switch on it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    field: str | None = None
    remedy: str | None = None
    errors: tuple[FieldProblem, ...] = ()
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The members of RFC 9457, section 3, and as extensions field, remedy, errors and request_id."""
        members: dict[str, Any] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "request_id": self.request_id,
        }
        if self.field:
            members["field"] = self.field
        if self.remedy:
            members["remedy"] = self.remedy
        if self.errors:
            members["errors"] = [
                {"field": one.field, "location": one.location, "detail": one.detail} for one in self.errors
            ]
        return members


ErrorPage = Callable[[Request, Problem], Response]


def problem_of(error: Exception, request_id: str) -> Problem:
    """What may be told about this error. An error that is not ours says only that it happened, and its id."""
    if isinstance(error, GovernanceError):
        headers = {"Retry-After": _RETRY_AFTER_S} if error.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        if isinstance(error, Unauthenticated):
            headers["WWW-Authenticate"] = "Bearer"
        if isinstance(error, TooManyRequests):
            headers["Retry-After"] = str(error.retry_after_s)
        return Problem(
            type=error.type,
            title=error.title,
            status=error.status,
            detail=error.detail,
            request_id=request_id,
            field=error.field,
            remedy=error.remedy,
            headers=headers,
        )
    if isinstance(error, RequestValidationError):
        return _invalid(error, request_id)
    if isinstance(error, HTTPException):
        return _http(error, request_id)
    return Problem(
        type="urn:governance:problem:internal-error",
        title="Internal error",
        status=500,
        detail="Something went wrong on our side; nothing was half written.",
        request_id=request_id,
        remedy=f"Try again; if it stays, give the number {request_id} to whoever runs this service.",
    )


def respond(request: Request, error: Exception) -> Response:
    """The answer to a failed request: a page for somebody who reads pages, a problem document for everybody else."""
    problem = problem_of(error, request_id_of(request))
    if isinstance(error, GovernanceError) and problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning("a part does not answer", problem=problem.type, detail=problem.detail)
    elif problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", problem=problem.type, exc_info=error)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        problem = dataclasses.replace(problem, headers={"Allow": ", ".join(_methods_at(request))})
    if not wants_page(request):
        return JSONResponse(problem.document(), problem.status, headers=dict(problem.headers), media_type=MEDIA_TYPE)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return _to_sign_in(request, problem)
    return _page(request, problem)


def wants_page(request: Request) -> bool:
    """Whether a page is the better answer: never under /api/; else if the Accept header ranks HTML over JSON."""
    if request.url.path.startswith(_API_PREFIX):
        return False
    if request.headers.get("hx-request") == "true":
        return True
    accept = request.headers.get("accept", "")
    return _quality(accept, "text/html") > max(
        _quality(accept, "application/json"), _quality(accept, "application/problem+json")
    )


def request_id_of(request: Request) -> str:
    """The id under which this request stands in the logs."""
    return str(getattr(request.state, "request_id", "-"))


def plain_error_page(request: Request, problem: Problem) -> Response:  # noqa: ARG001  (the port's signature)
    """The error page where no other is registered as `app.state.error_page`."""
    parts = [problem.detail, problem.remedy or "", f"Number: {problem.request_id}"]
    body = "".join(f"<p>{html.escape(part)}</p>" for part in parts if part)
    title = html.escape(problem.title)
    return HTMLResponse(
        f'<!doctype html><html lang="en"><title>{title}</title><h1>{title}</h1>{body}<p><a href="/">Home</a></p>',
        problem.status,
    )


def install(app: FastAPI) -> None:
    """Answer every error of the app's routes with a problem. Unknown ones are caught by `CatchAll`."""

    def handler(request: Request, error: Exception) -> Response:
        return respond(request, error)

    for kind in (GovernanceError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handler)


class CatchAll:
    """ASGI: any error that nothing inside handled becomes a problem, inside the middlewares that add headers.

    Starlette's own last handler stands outside of every middleware, so its answers would lack them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if started:
                raise  # half an answer is out: only breaking the connection tells the client
            response = await run_in_threadpool(respond, Request(scope), error)
            await response(scope, receive, send)


def _invalid(error: RequestValidationError, request_id: str) -> Problem:
    found = tuple(_field_problem(one) for one in error.errors()[:_FIELD_ERRORS_MAX])
    malformed = any(one["type"] == "json_invalid" for one in error.errors())
    first = found[0]
    return Problem(
        type="urn:governance:problem:malformed" if malformed else "urn:governance:problem:bad-input",
        title="Malformed input" if malformed else "Invalid input",
        status=400 if malformed else 422,
        detail=first.detail if len(found) == 1 else f"{len(found)} fields are wrong.",
        request_id=request_id,
        field=first.field,
        remedy="Correct the fields named and send again.",
        errors=found,
    )


def _field_problem(one: Mapping[str, Any]) -> FieldProblem:
    location, *path = [str(part) for part in one["loc"]]
    if one["type"] == "json_invalid":
        return FieldProblem("body", f"The body is not JSON, at character {path[0] if path else '0'}.")
    return FieldProblem(".".join(path) or location, f"{one['msg']}.", location)


def _http(error: HTTPException, request_id: str) -> Problem:
    phrase = HTTPStatus(error.status_code).phrase
    told = {404: "There is nothing at this address.", 405: "This address does not answer to that method."}
    return Problem(
        type="about:blank",  # RFC 9457, section 4.2.1: no more than the status code says
        title=phrase,
        status=error.status_code,
        detail=told.get(error.status_code, f"{str(error.detail).rstrip('.')}."),
        request_id=request_id,
        headers=dict(error.headers or {}),
    )


def _methods_at(request: Request) -> list[str]:
    """Every method that this address answers to. The router's own header names those of one route only."""
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if isinstance(route.original_route, Route) and route.path_regex.match(request.url.path):
            found |= route.methods or set()
    return sorted(found)


def _page(request: Request, problem: Problem) -> Response:
    page: ErrorPage = getattr(request.app.state, "error_page", plain_error_page)
    response = page(request, problem)
    response.headers.update(problem.headers)
    return response


def _to_sign_in(request: Request, problem: Problem) -> Response:
    if request.headers.get("hx-request") == "true":
        shown = urlsplit(request.headers.get("hx-current-url", "/"))
        here = f"{shown.path}?{shown.query}" if shown.query else shown.path
        return Response(status_code=problem.status, headers={"HX-Redirect": sign_in_url(here)})
    if request.method in {"GET", "HEAD"}:
        here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
        return RedirectResponse(sign_in_url(here), status_code=303)
    return _page(request, problem)  # a redirect would lose what was typed


def sign_in_url(next_path: str) -> str:
    """The sign-in page that leads back to this path of ours."""
    return f"{SIGN_IN_PATH}?next={quote(next_path, safe='/')}"


def _quality(accept: str, media_type: str) -> float:
    """The weight that an Accept header gives this media type (RFC 9110, section 12.5.1); wildcards count as 0.

    A program that sends `*/*`, or nothing, is not asking for a page.
    """
    for item in accept.split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if name.lower() == media_type:
            weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
            return float(weight) if re.fullmatch(r"[01](\.\d{1,3})?", weight) else 0.0
    return 0.0
