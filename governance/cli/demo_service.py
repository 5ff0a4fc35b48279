"""The service of the demo: all of it in this process, on a new database, and with a cluster that plays recordings."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn
from pydantic import BaseModel

from governance import clock, logs
from governance.app import web_app, webhook_app
from governance.audit.keys import ensure_key
from governance.bootstrap import Parts, Watched, build, keep_surroundings
from governance.cli.serve import listeners, runner
from governance.cli.worker import start_loops
from governance.configuration.first_admin import first_admin
from governance.db.migrate import upgrade
from governance.db.session import transaction
from governance.demo.cluster import ApiServer, RecordedCluster
from governance.demo.hospital import CLUSTER
from governance.demo.recording import Recording
from governance.demo.stage import Stage
from governance.errors import Unavailable
from governance.settings import Audit, Billing, Database, Mail, Oidc, Outbound, Settings, Web, Webhook
from governance.settings import load as load_settings
from webhooks.kubernetes.around import Around
from webhooks.kubernetes.certificates import Certificates, issue

LOG = "service.log"
PORT = 8080
_HOST = "127.0.0.1"
_START_S = 30.0
_END_S = 5.0
_ADMINISTRATOR = "sato"


@contextmanager
def running(folder: Path, recording: Recording) -> Iterator[Stage]:
    """The service with its worker, in this process, on a new database; and the cluster as it was before the story."""
    certificates = issue(folder / "certificates", [_HOST], clock.now())
    with ExitStack() as stack:
        logs.configure("info", stack.enter_context((folder / LOG).open("w", encoding="utf-8")))
        sockets = [stack.enter_context(_listening(port)) for port in (0, PORT)]
        settings = _settings(folder, certificates, *(one.getsockname()[1] for one in sockets))
        upgrade(settings.database)
        cluster = RecordedCluster()
        cluster.tell(recording.scenes["before"])
        parts = replace(build(settings), clusters={CLUSTER: Watched(cluster, Around(clock.now))})
        stack.callback(parts.engine.dispose)
        with transaction(parts.engine) as session:
            token = first_admin(session, _ADMINISTRATOR, clock.now()).secret
        stack.enter_context(_working(parts))
        servers = listeners(settings, webhook_app(parts), web_app(parts))
        stack.enter_context(_serving(dict(zip(servers, sockets, strict=True))))
        webhook = f"https://{_HOST}:{settings.webhook.port}/kubernetes/{CLUSTER}/admit"
        trust = ssl.create_default_context(cafile=str(certificates.authority))
        api_server = ApiServer(webhook, trust)
        yield Stage(settings.web.public_url, token, folder, parts.engine, cluster, api_server, recording)


def _listening(port: int) -> socket.socket:
    """A socket that listens on this port, or on any free one if it is taken; 0: on any free one."""
    try:
        return socket.create_server((_HOST, port))
    except OSError:
        if not port:
            raise
        return _listening(0)


def _settings(folder: Path, certificates: Certificates, webhook_port: int, web_port: int) -> Settings:
    """Demo settings. Of the environment's own only those of the policies hold."""
    ensure_key(folder / "audit.pem")
    own: dict[str, BaseModel] = {
        "database": Database(url=f"sqlite:///{folder}/governance.db"),
        "webhook": Webhook(host=_HOST, port=webhook_port, certificate=certificates.certificate, key=certificates.key),
        "web": Web(host=_HOST, port=web_port, public_url=f"http://{_HOST}:{web_port}"),
        "oidc": Oidc(),
        "mail": Mail(),
        "outbound": Outbound(),
        "audit": Audit(signing_key=folder / "audit.pem"),
        "billing": Billing(folder=folder / "billing"),
    }
    whole: dict[str, object] = {name: group.model_dump() for name, group in own.items()}
    return load_settings(environment="demo", clusters={}, **whole)


@contextmanager
def _working(parts: Parts) -> Iterator[None]:
    stop = threading.Event()
    keep_surroundings(parts, stop)
    threads = start_loops(parts, stop)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(_END_S)


@contextmanager
def _serving(servers: Mapping[uvicorn.Server, socket.socket]) -> Iterator[None]:
    """The listeners on their sockets, in a thread of their own, ready when this begins. Raises Unavailable."""

    async def serve() -> None:
        await asyncio.gather(*(one.serve(sockets=[listening]) for one, listening in servers.items()))

    def run() -> None:
        with runner(next(iter(servers))) as loop:
            loop.run(serve())

    thread = threading.Thread(target=run, name="listeners", daemon=True)
    thread.start()
    try:
        for _ in range(int(_START_S / 0.05)):
            if all(one.started for one in servers):
                break
            thread.join(0.05)
            if not thread.is_alive():
                raise Unavailable("The listeners could not start.", remedy="Read what the log says.")
        yield
    finally:
        for one in servers:
            one.should_exit = True
        thread.join(_END_S)
