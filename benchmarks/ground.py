"""The real parts that a run stands on, all on this machine and all on 127.0.0.1."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import hospital
from benchmarks.client import pod
from benchmarks.figures import Samples
from benchmarks.hospital import CLUSTER, NAMESPACE, ROOT
from governance.settings import Database, Policy
from tests.e2e.service import Service, configure
from tests.parts import cluster as clusters
from tests.parts import opa as opas
from tests.parts import postgres as databases
from tests.parts.process import answers, free_port, running, wait_until
from webhooks.kubernetes.install import Installation, manifests

USER = "okafor"
WITHOUT, FLOOR, OPA, WASM = "no webhook", "no-op webhook", "governance, OPA", "governance, Wasm"
WAYS = (WITHOUT, FLOOR, OPA, WASM)
NAMESPACES = {WITHOUT: "unasked", FLOOR: "asked-in-vain", OPA: NAMESPACE, WASM: "ct-training-wasm"}


@dataclass(frozen=True, slots=True)
class Batch:
    """Pods created: how long it took, and how long each took."""

    seconds: float
    latencies_s: Samples


@dataclass(slots=True)
class Client:
    """The process that creates pods."""

    popen: subprocess.Popen[str]
    batches: int = 0

    def create(self, way: str, count: int, clients: int) -> Batch:
        """Create so many pods one of the ways. Raises AssertionError if one is refused."""
        self.batches += 1
        asked = {"namespace": NAMESPACES[way], "prefix": f"b{self.batches}", "count": count, "clients": clients}
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.popen.stdin.write(json.dumps(asked) + "\n")
        self.popen.stdin.flush()
        answer: dict[str, Any] = json.loads(self.popen.stdout.readline())
        assert not answer["refused"], answer["refused"]
        return Batch(answer["seconds"], answer["latencies_s"])


@contextmanager
def stores(folder: Path) -> Iterator[tuple[databases.Postgres, opas.Opa]]:
    """PostgreSQL as in production (every commit reaches the disk), and OPA with this release's policies."""
    with databases.start(folder, durable=True) as database, opas.start(folder, [ROOT / "policies"]) as opa:
        yield database, opa


@contextmanager
def control_plane(folder: Path, database: databases.Postgres, policies: Mapping[str, Policy]) -> Iterator[Client]:
    """An API server that asks nobody, an endpoint that always allows, or this service, by namespace; and its client.

    Args:
        policies: by way that asks this service, how it evaluates; each is a service and a database of its own.
    """
    with ExitStack() as stack:
        kubernetes = stack.enter_context(clusters.start(folder / "cluster", nodes=0))
        services = {way: _service(folder / way, database, kubernetes, policy) for way, policy in policies.items()}
        for service in services.values():
            stack.callback(service.stop)
            service.run("serve")
        floor = stack.enter_context(_floor(folder, service))
        # Without controllers nobody fills the aggregated roles (edit and its like).
        kubernetes.kubectl("create", "clusterrole", "pods", "--verb=create", "--resource=pods")
        for namespace in NAMESPACES.values():
            kubernetes.kubectl("create", "namespace", namespace)
            kubernetes.may(USER, "pods", namespace)
        for way, service in services.items():
            _register(kubernetes, way, service.webhook_url, service)
        _register(kubernetes, FLOOR, floor, service)
        for way in WAYS:
            wait_until(partial(_is_in_force, kubernetes, way), f"{way} in force")
        yield stack.enter_context(_client(kubernetes))


def _service(folder: Path, database: databases.Postgres, kubernetes: clusters.Cluster, policy: Policy) -> Service:
    settings = Database(url=database.create_database())
    hospital.found(settings)
    folder.mkdir()
    return configure(
        folder,
        {
            "GOVERNANCE_DATABASE__URL": settings.url,
            "GOVERNANCE_POLICY": policy.model_dump_json(exclude_unset=True),
            "GOVERNANCE_OIDC__ISSUER": "https://sign-in.example",  # nobody signs in
            "GOVERNANCE_OIDC__CLIENT_ID": "governance",
            "GOVERNANCE_CLUSTERS": json.dumps({CLUSTER: str(kubernetes.kubeconfigs[clusters.ADMIN])}),
        },
    )


@contextmanager
def _floor(folder: Path, service: Service) -> Iterator[str]:
    port, files = free_port(), service.certificates
    command = [sys.executable, "-m", "benchmarks.noop", str(port), str(free_port())]
    with running("noop", [*command, files.certificate, files.key], folder, lambda: answers(port)):
        yield f"https://127.0.0.1:{port}"


def _register(kubernetes: clusters.Cluster, way: str, url: str, service: Service) -> None:
    """Register as `governance install kubernetes` does, for the way's own namespace alone."""
    authority = service.certificates.authority.read_bytes()
    made = manifests(Installation(CLUSTER, url, authority, pods="strict"))[-1]
    made["metadata"]["name"] = NAMESPACES[way]
    for webhook in made["webhooks"]:
        webhook["name"] = f"{NAMESPACES[way]}.governance.io"
        webhook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACES[way]}}
    kubernetes.apply(made)


def _is_in_force(kubernetes: clusters.Cluster, way: str) -> bool:
    """Whether the user may create pods there and the webhook, if there is one, is asked."""
    name = NAMESPACES[way]
    try:
        kubernetes.kubectl("create", "--dry-run=server", "-f", "-", "-n", name, user=USER, stdin=json.dumps(pod("try")))
    except clusters.KubectlError:
        return False
    metrics = kubernetes.kubectl("get", "--raw", "/metrics")
    return way == WITHOUT or f'apiserver_admission_webhook_request_total{{code="200",name="{name}.' in metrics


@contextmanager
def _client(kubernetes: clusters.Cluster) -> Iterator[Client]:
    command = [sys.executable, "-m", "benchmarks.client", kubernetes.url, str(kubernetes.ca), kubernetes.tokens[USER]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as popen:
        try:
            yield Client(popen)
        finally:
            popen.terminate()
