"""`governance demo`: the whole service on this machine with a made-up hospital, and the story told with it."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
import uvicorn
from rich.console import Console

from governance import clock, logs
from governance.app import web_app, webhook_app
from governance.audit.keys import ensure_key
from governance.bootstrap import Parts, Watched, build, keep_surroundings
from governance.cli.exits import OURS, Failed
from governance.cli.serve import listeners
from governance.cli.worker import start_loops
from governance.configuration.first_admin import first_admin
from governance.db.migrate import upgrade
from governance.db.session import transaction
from governance.demo import story
from governance.demo.cluster import ApiServer, RecordedCluster
from governance.demo.hospital import CLUSTER
from governance.demo.recording import Recording, load
from governance.demo.stage import Stage
from governance.demo.telling import StepFailed, Teller
from governance.errors import GovernanceError, Unavailable
from governance.settings import Audit, Database, Mail, Oidc, Outbound, Settings, Web, Webhook
from governance.settings import load as load_settings
from webhooks.kubernetes.around import Around
from webhooks.kubernetes.certificates import Certificates, issue

app = typer.Typer()

_HOST = "127.0.0.1"
_PORT = 8080
_START_S = 30.0
_END_S = 5.0
_ADMINISTRATOR = "sato"


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", envvar="ONCE", help="Approve without a person, and end: 0 if all went as told.")
    ] = False,
) -> None:
    """Tell the story of one request, on this machine and with made-up people; then stay, until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False, emoji=False, markup=False)
    with tempfile.TemporaryDirectory(prefix="governance-demo-", ignore_cleanup_errors=True) as folder:
        try:
            _play(Path(folder), console, once=once)
        except KeyboardInterrupt:
            console.print("\nStopped. Nothing is left behind.")


def _play(folder: Path, console: Console, *, once: bool) -> None:
    recording = load(clock.now())
    tell = Teller(console)
    with _running(folder, recording) as stage:
        tell.opening(
            recording.kubernetes, recording.recorded_at, stage.address, usual=stage.address.endswith(f":{_PORT}")
        )
        try:
            story.play(stage, tell, once=once)
        except (StepFailed, GovernanceError, httpx.HTTPError) as error:
            raise Failed(f"The demo stopped. {str(error) or type(error).__name__}", OURS) from None
        if once:
            return
        tell.ending(stage.address, stage.environment())
        threading.Event().wait()


@contextmanager
def _running(folder: Path, recording: Recording) -> Iterator[Stage]:
    """The service with its worker, in this process, on a new database; and the cluster as it was before the story."""
    certificates = issue(folder / "certificates", [_HOST], clock.now())
    settings = _settings(folder, certificates)
    with ExitStack() as stack:
        logs.configure("info", stack.enter_context((folder / "service.log").open("w", encoding="utf-8")))
        upgrade(settings.database)
        cluster = RecordedCluster()
        cluster.tell(recording.scenes["before"])
        parts = replace(build(settings), clusters={CLUSTER: Watched(cluster, Around(clock.now))})
        with transaction(parts.engine) as session:
            token = first_admin(session, _ADMINISTRATOR, clock.now()).secret
        stack.callback(parts.engine.dispose)
        stack.enter_context(_working(parts))
        stack.enter_context(_serving(listeners(settings, webhook_app(parts), web_app(parts))))
        webhook = f"https://{_HOST}:{settings.webhook.port}/kubernetes/{CLUSTER}/admit"
        trust = ssl.create_default_context(cafile=str(certificates.authority))
        yield Stage(settings.web.public_url, token, folder, parts.engine, cluster, ApiServer(webhook, trust), recording)


def _settings(folder: Path, certificates: Certificates) -> Settings:
    """Demo settings. Of the environment's own only those of the policies hold."""
    port = _free_port(_PORT)
    ensure_key(folder / "audit.pem")
    own: dict[str, Any] = {
        "database": Database(url=f"sqlite:///{folder}/governance.db"),
        "webhook": Webhook(host=_HOST, port=_free_port(0), certificate=certificates.certificate, key=certificates.key),
        "web": Web(host=_HOST, port=port, public_url=f"http://{_HOST}:{port}"),
        "oidc": Oidc(),
        "mail": Mail(),
        "outbound": Outbound(),
        "audit": Audit(signing_key=folder / "audit.pem"),
    }
    whole = {name: group.model_dump() for name, group in own.items()}
    return load_settings(environment="demo", clusters={}, **whole)


def _free_port(wanted: int) -> int:
    """The port, or a free one if it is taken; 0: any free one."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((_HOST, wanted))
        except OSError:
            return _free_port(0)
        port: int = one.getsockname()[1]
        return port


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
def _serving(servers: Sequence[uvicorn.Server]) -> Iterator[None]:
    """The listeners, in a thread of their own, ready when this begins. Raises Unavailable."""

    async def serve() -> None:
        await asyncio.gather(*(one.serve() for one in servers))

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="listeners", daemon=True)
    thread.start()
    try:
        for _ in range(int(_START_S / 0.05)):
            if all(one.started for one in servers):
                break
            thread.join(0.05)
            if not thread.is_alive():
                raise Unavailable("The listeners could not start.", remedy="See whether a port is taken.")
        yield
    finally:
        for one in servers:
            one.should_exit = True
        thread.join(_END_S)
