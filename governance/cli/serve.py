"""`governance serve`: the doors. One process, two listeners: one for clusters, one for people and programs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from governance import logs
from governance.app import web_app, webhook_app
from governance.bootstrap import build, keep_surroundings
from governance.cli.worker import start_loops
from governance.errors import BadInput
from governance.settings import Settings

_KEEP_ALIVE_S = 75


class _Listener(uvicorn.Server):
    """A server whose signals are handled by whoever runs several of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings, *, with_worker: bool = False) -> None:
    """Run the doors until SIGTERM or SIGINT; `with_worker` runs the worker's loops beside them, for one-process use."""
    _require_readable(settings)
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


def _require_readable(settings: Settings) -> None:
    for listener, chosen in (("webhook", settings.webhook), ("web", settings.web)):
        for name, path in (("certificate", chosen.certificate), ("key", chosen.key)):
            if path is not None and not os.access(path, os.R_OK):
                field = f"{listener}.{name}"
                raise BadInput(f"{path} cannot be read.", field=field, remedy="Name a PEM file, or mend its rights.")


def listeners(settings: Settings, webhook: FastAPI, web: FastAPI) -> tuple[uvicorn.Server, uvicorn.Server]:
    """The two servers, not yet started."""
    return (
        _listener(
            webhook, settings.webhook.host, settings.webhook.port, settings.webhook.certificate, settings.webhook.key
        ),
        _listener(web, settings.web.host, settings.web.port, settings.web.certificate, settings.web.key),
    )


def run(servers: tuple[uvicorn.Server, ...]) -> None:
    """Serve until SIGTERM or SIGINT, or until one of them stops; then let requests under way end."""
    asyncio.run(_run(servers))


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


def _listener(app: FastAPI, host: str, port: int, certificate: Path | None, key: Path | None) -> uvicorn.Server:
    return _Listener(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,  # a TLS handshake costs more than an admission
            timeout_graceful_shutdown=10,
        )
    )
