"""Everything that the story plays on: control plane, database, policy engine, identity provider, mail, the service."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
from sqlalchemy import Engine, func, make_url, select
from sqlmodel import col

from governance.audit.keys import ensure_key
from governance.db.session import make_engine, reading
from governance.identity.tables import Node
from governance.quota.tables import Charge, Scope, Usage
from governance.settings import Database
from tests.e2e.between import Door, door
from tests.e2e.service import Service, configure, governance
from tests.parts import aws as clouds
from tests.parts import cluster as clusters
from tests.parts import oidc as providers
from tests.parts import opa as opas
from tests.parts import postgres as databases
from tests.parts import smtp as mails
from tests.parts.line import Line, line
from tests.parts.process import wait_until
from tests.webhooks.cloud.samples import REGION

ROOT = Path(__file__).parents[2]
CLUSTER = "imaging-onprem-1"
OUTBOUND_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PEOPLE = ("okafor", "lindqvist", "haddad", "novak", "sato", "brandt", "ferreira", "bauer", "keller")


class CommandError(AssertionError):
    """A command line ended with another exit code than 0."""

    def __init__(self, words: Sequence[str], code: int, output: str, error: str) -> None:
        super().__init__(f"governance {' '.join(words)} ended with {code}\n{output}\n{error}")
        self.code, self.output, self.error = code, output, error


@dataclass(slots=True)
class Receiver:
    """A program elsewhere that takes our signed webhooks: each as (headers, body)."""

    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@dataclass(slots=True)
class World:
    """The parts, and short words for what the story does with them."""

    folder: Path
    kubernetes: clusters.Cluster
    service: Service
    engine: Engine
    provider: providers.Oidc
    mail: mails.Smtp
    receiver: Receiver
    door: Door
    to_database: Line
    to_policy: Line
    queue: str
    tokens: dict[str, str] = field(default_factory=dict)

    def environment_of(self, person: str) -> dict[str, str]:
        """The environment of a person's shell: their own home, and their token if they have one."""
        home = self.folder / "homes" / person
        home.mkdir(parents=True, exist_ok=True)
        server = {"GOVERNANCE_SERVER": self.service.web_url, "GOVERNANCE_CA": str(self.service.certificates.authority)}
        token = {"GOVERNANCE_TOKEN": self.tokens[person]} if person in self.tokens else {}
        return {**os.environ, **self.service.environment, **server, **token, "HOME": str(home), "COLUMNS": "140"}

    def cli(self, *words: str, person: str = "sato") -> str:
        """Run a command as a person and give its output. Raises CommandError."""
        done = subprocess.run(
            governance(*words),
            capture_output=True,
            text=True,
            env=self.environment_of(person),
            timeout=60,
            check=False,
            cwd=self.folder,
        )
        if done.returncode != 0:
            raise CommandError(words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def kubectl(
        self, *words: str, user: str = "okafor", namespace: str = "ct-training", stdin: str | None = None
    ) -> str:
        """kubectl as a user, in a namespace."""
        return self.kubernetes.kubectl(*words, "-n", namespace, user=user, stdin=stdin)

    def create(self, *objects: dict[str, Any], user: str = "okafor", namespace: str = "ct-training") -> str:
        """`kubectl create` of objects."""
        made = {"kind": "List", "apiVersion": "v1", "items": list(objects)}
        return self.kubectl("create", "-f", "-", user=user, namespace=namespace, stdin=json.dumps(made))

    def used(self, node: str) -> dict[str, int]:
        """What a node has taken, by resource, in ledger units; without zeros."""
        with reading(self.engine) as session:
            statement = (
                select(col(Usage.resource), col(Usage.used))
                .join(Node, col(Node.id) == col(Usage.node_id))
                .where(col(Node.name) == node, col(Usage.used) > 0)
            )
            return {row.resource: row.used for row in session.execute(statement)}

    def charges(self, *states: str) -> dict[str, dict[str, int]]:
        """Levels of the charges in these states, by kind/namespace/name."""
        with reading(self.engine) as session:
            found = session.scalars(select(Charge).where(col(Charge.state).in_(states)))
            return {f"{one.kind}/{one.native_id}": dict(one.level) for one in found}

    def mode(self) -> str:
        """Whether the cluster observes, enforces or warns."""
        with reading(self.engine) as session:
            return str(session.scalar(select(col(Scope.mode)).where(col(Scope.name) == CLUSTER)))

    def count(self, table: type[Any]) -> int:
        """How many rows a table has."""
        with reading(self.engine) as session:
            return session.scalar(select(func.count()).select_from(table)) or 0


@contextmanager
def built(folder: Path) -> Iterator[World]:
    """Start everything but the service itself, whose database is empty and not migrated."""
    with ExitStack() as stack:
        database = stack.enter_context(databases.start(folder, durable=True))
        opa = stack.enter_context(opas.start(folder, [ROOT / "policies"]))
        to_database = stack.enter_context(line(database.port))
        to_policy = stack.enter_context(line(int(opa.url.rsplit(":", 1)[1])))
        mail = stack.enter_context(mails.start())
        stack.enter_context(clouds.start(REGION))
        queue = boto3.client("sqs").create_queue(QueueName="story", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
        receiver = stack.enter_context(_receiver())
        kubernetes = stack.enter_context(
            clusters.start(folder / "cluster", users={**clusters.PEOPLE, **dict.fromkeys(PEOPLE, ())})
        )
        service = configure(folder, {})
        provider = stack.enter_context(
            providers.start(
                folder,
                [f"{service.web_url}/sign-in/callback"],
                [providers.Account(one, f"{one}@st-elisabeth.example", one.capitalize()) for one in PEOPLE],
            )
        )
        ensure_key(folder / "audit.pem")
        url = make_url(database.create_database())
        service.environment = {
            **service.environment,
            "GOVERNANCE_DATABASE__URL": url.set(port=to_database.port).render_as_string(hide_password=False),
            "GOVERNANCE_POLICY__ENGINE": "opa",
            "GOVERNANCE_POLICY__OPA_URL": f"http://127.0.0.1:{to_policy.port}",
            "GOVERNANCE_OIDC__ISSUER": provider.issuer,
            "GOVERNANCE_OIDC__CLIENT_ID": provider.client_id,
            "GOVERNANCE_OIDC__CLIENT_SECRET": provider.client_secret,
            "GOVERNANCE_OIDC__DEVICE_CLIENT_ID": provider.device_client_id,
            "GOVERNANCE_MAIL__HOST": "127.0.0.1",
            "GOVERNANCE_MAIL__PORT": str(mail.port),
            "GOVERNANCE_MAIL__SENDER": "governance@st-elisabeth.example",
            "GOVERNANCE_OUTBOUND__URL": receiver.url,
            "GOVERNANCE_OUTBOUND__SECRET": OUTBOUND_SECRET,
            "GOVERNANCE_AUDIT__SIGNING_KEY": str(folder / "audit.pem"),
            "GOVERNANCE_AUDIT__SHIP_TO": str(folder / "heads"),
            "GOVERNANCE_CLOUD__AWS_QUEUES": json.dumps([queue]),
            "GOVERNANCE_BILLING__FOLDER": str(folder / "billing"),
            "GOVERNANCE_CLUSTERS": json.dumps({CLUSTER: str(kubernetes.kubeconfigs["governance"])}),
        }
        engine = make_engine(Database(url=url.render_as_string(hide_password=False)))
        stack.callback(engine.dispose)
        stack.callback(service.stop)
        before = stack.enter_context(door(service.webhook_url, service.certificates))
        lines = (to_database, to_policy)
        yield World(folder, kubernetes, service, engine, provider, mail, receiver, before, *lines, queue)


@contextmanager
def _receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name is http.server's hook
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def eventually(condition: Any, what: str, timeout_s: float = 30) -> None:  # noqa: ANN401  (a callable without arguments)
    """Wait until something is so."""
    wait_until(condition, what, timeout_s)
