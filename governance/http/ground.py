"""The ground under pages and API: what the app knows, what wraps each request, how errors are answered."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import FastAPI
from sqlalchemy import Engine

from governance import clock as wall
from governance.clock import Clock
from governance.errors import BadInput
from governance.http import problems
from governance.http.security import LOOPBACK, BodyLimit, RequestId, SafeHeaders, SameOrigin, own_origins
from governance.identity.oidc import Provider
from governance.settings import Settings


def mount_ground(app: FastAPI, engine: Engine, settings: Settings, *, clock: Clock = wall.now) -> None:
    """Make an app safe to mount routes on. They find `engine`, `settings`, `clock` and `oidc` in `request.app.state`.

    Raises BadInput if these settings would be unsafe to serve with.
    """
    refuse_unsafe(settings)
    app.state.engine = engine
    app.state.settings = settings
    app.state.clock = clock
    app.state.oidc = Provider(settings.oidc, redirect_uri=f"{settings.web.public_url.rstrip('/')}/sign-in/callback")
    problems.install(app)
    # The last one added is the outermost.
    app.add_middleware(SameOrigin, origins=own_origins(settings))
    app.add_middleware(BodyLimit, bytes_max=settings.web.body_bytes_max)
    app.add_middleware(problems.CatchAll)
    app.add_middleware(SafeHeaders, tls=settings.web.public_url.startswith("https://"))
    app.add_middleware(RequestId)


def refuse_unsafe(settings: Settings) -> None:
    """Refuse to serve where sign-in could not be trusted.

    In production people sign in over TLS with an identity provider; the demo, where anybody may choose to be anybody,
    stays on this machine. Raises BadInput that names the setting.
    """
    public = urlsplit(settings.web.public_url)
    if public.scheme not in {"http", "https"} or not public.hostname or public.path not in {"", "/"}:
        raise BadInput(
            "The public URL is a scheme, a host and a port.",
            field="web.public_url",
            remedy="For example https://governance.example.org.",
        )
    if settings.environment == "demo":
        for name, host in (("web.host", settings.web.host), ("web.public_url", public.hostname)):
            if host not in LOOPBACK:
                raise BadInput(
                    "The demo lets anybody sign in as anybody, so it serves this machine only.",
                    field=name,
                    remedy="Use 127.0.0.1, or environment=production.",
                )
        return
    if public.scheme != "https":
        raise BadInput(
            "People sign in over TLS only.",
            field="web.public_url",
            remedy="Name an https:// address (environment=demo allows plain HTTP on loopback).",
        )
    if not settings.oidc.issuer or not settings.oidc.client_id:
        missing = "oidc.client_id" if settings.oidc.issuer else "oidc.issuer"
        raise BadInput("Nobody could sign in.", field=missing, remedy="Name the identity provider and our client id.")
