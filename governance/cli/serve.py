"""`governance serve`: the doors. One process, two listeners: one for clusters, one for people and programs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import ssl
import threading
from collections.abc import Iterator, Sequence
from typing import Literal

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from governance import logs
from governance.app import web_app, webhook_app
from governance.bootstrap import build, keep_surroundings
from governance.cli.callers import known_callers, strangers
from governance.cli.worker import start_loops
from governance.http.listeners import refuse_unsafe, server_context
from governance.settings import Settings, Web, Webhook

_KEEP_ALIVE_S = 75


class _Listener(uvicorn.Server):
    """A server whose signals are handled by whoever runs several of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings, *, with_worker: bool = False) -> None:
    """Run the doors until SIGTERM or SIGINT; `with_worker` runs the worker's loops beside them, for one-process use."""
    refuse_unservable(settings)
    logs.configure(settings.log_level)
    parts = build(settings)
    stop = threading.Event()
    keep_surroundings(parts, stop)
    if with_worker:
        start_loops(parts, stop)
    try:
        servers = listeners(settings, webhook_app(parts), web_app(parts))
        # What was made at start stays; collecting it over and over would stop every admission for a tenth of a second.
        gc.collect()
        gc.freeze()
        run(servers)
    finally:
        stop.set()
        parts.engine.dispose()


def refuse_unservable(settings: Settings) -> None:
    """Raises BadInput, which names the setting, where serving would be unsafe or could not begin."""
    refuse_unsafe(settings)
    server_context(settings, "webhook")
    server_context(settings, "web")


def listeners(settings: Settings, webhook: FastAPI, web: FastAPI) -> tuple[uvicorn.Server, uvicorn.Server]:
    """The two servers, not yet started."""
    webhook_tls, web_tls = server_context(settings, "webhook"), server_context(settings, "web")
    if settings.webhook.client_ca_file is None:
        door = _listener(webhook, settings.webhook, webhook_tls)
    else:
        callers = known_callers(webhook, settings.webhook.client_names)
        door = _listener(strangers(webhook), settings.webhook, webhook_tls, http=callers)
    return door, _listener(web, settings.web, web_tls, trusted_proxies=settings.web.trusted_proxies)


def run(servers: tuple[uvicorn.Server, ...]) -> None:
    """Serve until SIGTERM or SIGINT, or until one of them stops; then let requests under way end."""
    with runner(servers[0]) as loop:
        loop.run(_run(servers))


def runner(server: uvicorn.Server) -> asyncio.Runner:
    """The event loop that a server is configured for, to be used where it does not run by itself.

    `asyncio.run` would take the standard library's, which takes longer over every byte.
    """
    return asyncio.Runner(loop_factory=server.config.get_loop_factory())


async def _run(servers: tuple[uvicorn.Server, ...]) -> None:
    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop()
    await asyncio.gather(*tasks)


def _listener(
    app: ASGIApp,
    chosen: Webhook | Web,
    tls: ssl.SSLContext | None,
    *,
    http: type[asyncio.Protocol] | Literal["httptools"] = "httptools",
    trusted_proxies: Sequence[str] = (),
) -> uvicorn.Server:
    return _Listener(
        uvicorn.Config(
            app,
            host=chosen.host,
            port=chosen.port,
            ssl_context_factory=(lambda *_: tls) if tls else None,
            loop="uvloop",
            http=http,
            ws="none",
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=list(trusted_proxies),
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,  # a TLS handshake costs more than an admission
            timeout_graceful_shutdown=10,
        )
    )
