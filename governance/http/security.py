"""Pure ASGI middlewares, from the outside in: request id, safe headers, then (after `problems.CatchAll`) the limit on
bodies and the refusal of what other sites send.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from governance.db.types import new_id
from governance.errors import Forbidden, TooLarge
from governance.settings import Settings

STATIC_PREFIX = "/static/"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
_UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HSTS_S = 31_536_000


class RequestId:
    """Each request has an id, the caller's own where it is one, in the answer and in each line of the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        scope.setdefault("state", {})["request_id"] = request_id

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, with_id)


class SafeHeaders:
    """Headers that keep a page to itself. The CSP nonce of this answer is `request.state.csp_nonce`.

    `img-src data:` is for the icons that Bootstrap's stylesheet carries. `Referrer-Policy: same-origin` and not
    `no-referrer`, under which browsers send `Origin: null` with our own forms.
    """

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self.app = app
        self.fixed = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if tls:
            self.fixed["Strict-Transport-Security"] = f"max-age={_HSTS_S}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["csp_nonce"] = nonce

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self.fixed)
                headers["Content-Security-Policy"] = content_security_policy(nonce)
                if not scope["path"].startswith(STATIC_PREFIX):  # files there have a hash of their content in the name
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers)


def content_security_policy(nonce: str) -> str:
    """Everything from this origin; no inline script or style but with the nonce of this answer; framed by nobody."""
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class BodyTooLarge(HTTPException):
    """Over the limit while the body streams in. An HTTPException, because FastAPI turns anything else that is raised
    while it reads a body into its own 400."""

    def __init__(self, limit: int) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(limit))


class BodyLimit:
    """No body over `bytes_max` is read: by its declared length, else while it arrives. `larger`: paths of uploads, each
    with a limit of its own."""

    def __init__(self, app: ASGIApp, *, bytes_max: int, larger: Mapping[str, int]) -> None:
        self.app = app
        self.bytes_max = bytes_max
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        bytes_max = self.larger.get(scope["path"], self.bytes_max)
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isascii() or not declared.isdigit() or int(declared) > bytes_max:
            raise TooLarge(_too_large(bytes_max), field="body", remedy="Send less at once.")
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > bytes_max:
                raise BodyTooLarge(bytes_max)
            return message

        await self.app(scope, counted, send)


class SameOrigin:
    """What another site makes a browser send is refused, whatever cookie comes with it.

    Browsers say where a request comes from (Fetch Metadata, section 2.4, and the Origin header); programs say nothing
    and pass, because they carry no cookie that somebody else could ride on. The CSRF token is the second lock.
    """

    def __init__(self, app: ASGIApp, *, origins: frozenset[str]) -> None:
        self.app = app
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in _UNSAFE_METHODS:
            headers = Headers(scope=scope)
            site = headers.get("sec-fetch-site", "none")
            origin = headers.get("origin")
            if site not in {"same-origin", "none"} or (origin is not None and origin not in self.origins):
                raise Forbidden(
                    "This request comes from another site.", remedy="Open the page here and send it once more."
                )
        await self.app(scope, receive, send)


def own_origins(settings: Settings) -> frozenset[str]:
    """The origins from which our own pages post: the public URL's, and in the demo each name of loopback."""
    public = urlsplit(settings.web.public_url)
    origins = {f"{public.scheme}://{public.netloc}"}
    if settings.environment == "demo" and public.hostname in LOOPBACK:
        port = f":{public.port}" if public.port else ""
        origins |= {f"{public.scheme}://{host}{port}" for host in ("127.0.0.1", "localhost", "[::1]")}
    return frozenset(origins)


def _too_large(limit: int) -> str:
    return f"The body is larger than {limit} bytes."
