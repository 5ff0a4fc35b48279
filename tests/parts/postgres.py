"""A PostgreSQL server, with a fresh database for whoever asks."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg

from tests.parts.process import Process, free_port, running
from tools import parts

SUPERUSER = "postgres"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that runs; `url` is SQLAlchemy's for the maintenance database."""

    url: str
    port: int
    process: Process

    def create_database(self) -> str:
        """Create an empty database and give its SQLAlchemy URL."""
        name = f"test_{uuid4().hex}"
        with psycopg.connect(_dsn(self.port), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return _url(self.port, name)

    def drop_database(self, url: str) -> None:
        """Drop a database that create_database gave, with whoever is still connected to it."""
        name = psycopg.sql.Identifier(url.rsplit("/", 1)[1])
        with psycopg.connect(_dsn(self.port), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@contextmanager
def start(folder: Path, *, durable: bool = False) -> Iterator[Postgres]:
    """Run a server with new, empty data, logging into `folder`; `durable` turns fsync on, as in production."""
    with new_data() as data, serve(data, folder, durable=durable) as server:
        yield server


@contextmanager
def new_data() -> Iterator[Path]:
    """An initialised data folder, owned by whom the server runs as (PostgreSQL refuses to run as root)."""
    folder = Path(tempfile.mkdtemp(prefix="governance-postgres-"))
    try:
        user = _user()
        if user:
            shutil.chown(folder, user, user)
        initdb = parts.postgres() / "initdb"
        command = [str(initdb), "-D", str(folder), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync"]
        environment = os.environ | {"LC_ALL": "C.UTF-8"}
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            cwd="/",
            env=environment,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def serve(data: Path, folder: Path, *, durable: bool = False) -> Iterator[Postgres]:
    """Run a server on data that exists; after `process.kill()` the same data can be served again."""
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "200",
        "fsync": "on" if durable else "off",
        "synchronous_commit": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
    }
    command: list[str | Path] = [parts.postgres() / "postgres", "-D", data, "-p", str(port)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    # SIGINT is PostgreSQL's "fast" shutdown: it does not wait for clients.
    with running(
        "postgres", command, folder, lambda: _accepts(port), user=_user(), stop_signal=signal.SIGINT
    ) as process:
        yield Postgres(_url(port, "postgres"), port, process)


def _user() -> str | None:
    return SUPERUSER if os.geteuid() == 0 else None


def _accepts(port: int) -> bool:
    try:
        psycopg.connect(_dsn(port)).close()
    except psycopg.OperationalError:
        return False
    return True


def _dsn(port: int) -> str:
    return f"host=127.0.0.1 port={port} user={SUPERUSER} dbname=postgres"


def _url(port: int, name: str) -> str:
    return f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{port}/{name}"
