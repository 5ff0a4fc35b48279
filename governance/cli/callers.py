"""Whom the webhook listener answers, where API servers prove themselves with a client certificate.

TLS has verified what a caller shows by the time a connection is made, and ends the handshake over a bad certificate. So
one look at each new connection is enough, and an admission costs nothing more. Kubelet and Prometheus have no
certificate: who shows none still reads how the service is, and nothing else. A connection begins as a stranger's: if
it were never looked at, everything would be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from governance.app import HEALTH_PATHS

_NO_CERTIFICATE = "This webhook answers API servers that show a client certificate, and none was shown."

log = structlog.get_logger(__name__)


def strangers(app: ASGIApp, why: str = _NO_CERTIFICATE) -> ASGIApp:
    """The app as somebody finds it whom we do not know: how the service is, and no admission."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in HEALTH_PATHS:
            await app(scope, receive, send)
            return
        log.warning("a caller of the webhook was refused", client=scope.get("client"), reason=why)
        await PlainTextResponse(f"{why}\n", status_code=403)(scope, receive, send)

    return limited


def known_callers(app: ASGIApp, names: Sequence[str]) -> type[HttpToolsProtocol]:
    """How connections are served: the whole app for certificates with one of these names, or, without names, for all.

    `app` is also that of the server's config, in `strangers`.
    """
    wanted = {name.lower() for name in names}

    class KnownCallers(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            certificate: Mapping[str, Any] | None = transport.get_extra_info("peercert")
            if not certificate:
                return
            shown = names_of(certificate)
            if wanted and wanted.isdisjoint(shown):
                self.app = strangers(app, f"The client certificate of {', '.join(sorted(shown))} is not taken here.")
            else:
                self.app = app

    return KnownCallers


def names_of(certificate: Mapping[str, Any]) -> frozenset[str]:
    """The common name and the DNS names of a certificate, as `SSLObject.getpeercert` tells it, in lower case."""
    common = [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
    alternative = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    return frozenset(name.lower() for name in (*common, *alternative))
