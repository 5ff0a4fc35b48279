"""An app on the ground of pages and API, served over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from governance import clock as wall
from governance.http.ground import mount_ground
from governance.settings import Settings
from tests.identity.organisation import Hospital


class MovableClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = wall.now()

    def __call__(self) -> datetime:
        return self.at

    def move(self, by: timedelta) -> None:
        """Later by this much."""
        self.at += by


@dataclass(frozen=True, slots=True)
class Site:
    """What is served, for whom, and how to call it. `client` follows no redirect and keeps no cookie."""

    app: FastAPI
    hospital: Hospital
    settings: Settings
    clock: MovableClock
    client: httpx.Client


@contextmanager
def serving(hospital: Hospital, settings: Settings, mount: Callable[[FastAPI, Settings], None]) -> Iterator[Site]:
    """Serve what `mount` adds to the ground, until the block ends."""
    app = FastAPI(docs_url=None, redoc_url=None)
    clock = MovableClock()
    mount_ground(app, hospital.engine, settings, clock=clock)
    mount(app, settings)
    with listening(app) as address, httpx.Client(base_url=address, timeout=10) as client:
        client.event_hooks = {"response": [lambda _response: client.cookies.clear()]}  # a test says what is sent
        yield Site(app, hospital, settings, clock, client)


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Serve an app in a thread; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Prompt(uvicorn.Config(app, log_level="critical", ws="none", lifespan="off"))
        with running(server, listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class _Prompt(uvicorn.Server):
    """Ends as soon as it is told to. uvicorn's own looks ten times a second whether it should, and then waits a tenth
    of a second for its connections: hundreds of tests wait for that."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def should_exit(self) -> bool:
        return self._end.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value and self._loop:
            self._loop.call_soon_threadsafe(self._end.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        await self.on_tick(0)  # the headers that every answer has
        await self._end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002  (the block closes them)
        for server in self.servers:
            server.close()
        for connection in [*self.server_state.connections]:
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.001)


@contextmanager
def running(server: uvicorn.Server, listener: socket.socket) -> Iterator[None]:
    """Run a server on this socket in a thread, until the block ends."""
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        thread.join()


def cookies_of(response: httpx.Response) -> dict[str, Morsel[str]]:
    """The cookies that an answer sets, by name, with their attributes."""
    found: dict[str, Morsel[str]] = {}
    for header in response.headers.get_list("set-cookie"):
        found.update(SimpleCookie(header))
    return found


def as_cookie(response: httpx.Response) -> dict[str, str]:
    """The header with which a browser sends back what an answer set."""
    return {"Cookie": "; ".join(f"{name}={one.value}" for name, one in cookies_of(response).items() if one.value)}


def csrf(site: Site, cookie: dict[str, str]) -> str:
    """The form token of a session, as a page would show it."""
    return str(site.client.get("/csrf", headers=cookie).json())


def production(**changes: Any) -> Settings:  # noqa: ANN401  (any setting)
    """Settings in which people sign in with a provider, behind TLS."""
    usual: dict[str, Any] = {
        "web": {"public_url": "https://governance.test"},
        "oidc": {"issuer": "https://login.test", "client_id": "governance"},
    }
    return Settings(**(usual | changes))


def demo(**changes: Any) -> Settings:  # noqa: ANN401  (any setting)
    """Settings of the demo, on plain HTTP on loopback."""
    return Settings(environment="demo", **changes)
