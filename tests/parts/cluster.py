"""A real Kubernetes control plane on fake machines (kwok): Deployments become pods that run; a node can be lost."""

import csv
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.parts.process import Process, free_port, running, spawn, wait_until
from tools import parts

Json = dict[str, Any]
ADMIN = "admin"
PEOPLE: Mapping[str, Sequence[str]] = {"okafor": (), "lindqvist": (), "deployer": (), "governance": ()}
SYSTEM: Mapping[str, Sequence[str]] = {
    ADMIN: ("system:masters",),
    "kwok": ("system:masters",),
    "system:kube-controller-manager": (),
    "system:kube-scheduler": (),
}
SERVICE_ADDRESSES = "10.0.0.0/24"
# A lost node is noticed, and its pods are replaced, in seconds instead of Kubernetes' six minutes.
NODE_LEASE_S = 4
NODE_GRACE_S = 6
POD_TOLERATION_S = 2


class KubectlError(RuntimeError):
    """kubectl was refused or failed; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A control plane that runs: where it is, and each user's kubeconfig."""

    url: str
    ca: Path
    kubeconfigs: Mapping[str, Path]
    tokens: Mapping[str, str]
    machines: dict[str, Process]
    folder: Path

    def kubectl(self, *words: str, user: str = ADMIN, stdin: str | None = None) -> str:
        """Run kubectl as a user and give its output; KubectlError with what it said if it fails."""
        command: list[str | Path] = [parts.cluster_program("kubectl"), f"--kubeconfig={self.kubeconfigs[user]}", *words]
        environment = os.environ | {"HOME": str(self.folder)}
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=environment, timeout=60, check=False
        )
        if done.returncode != 0:
            raise KubectlError(done.stderr.strip())
        return str(done.stdout)

    def apply(self, *objects: Json, user: str = ADMIN) -> None:
        """Apply objects as a user (`kubectl apply`)."""
        self.kubectl(
            "apply", "-f", "-", user=user, stdin=json.dumps({"kind": "List", "apiVersion": "v1", "items": objects})
        )

    def get(self, kind: str, name: str, namespace: str = "default") -> Json:
        """Read one object as it stands."""
        found: Json = json.loads(self.kubectl("get", kind, name, "-n", namespace, "-o", "json"))
        return found

    def get_all(self, kind: str, namespace: str = "default", selector: str = "") -> list[Json]:
        """Read the objects of a kind in a namespace that match a label selector."""
        answer = json.loads(self.kubectl("get", kind, "-n", namespace, "-l", selector, "-o", "json"))
        found: list[Json] = answer["items"]
        return found

    def running_pods(self, namespace: str = "default", selector: str = "") -> list[Json]:
        """Pods that run and are not being deleted."""
        pods = self.get_all("pods", namespace, selector)
        return [
            pod for pod in pods if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]

    def may(self, user: str, role: str, namespace: str) -> None:
        """Bind a user to a cluster role (view, edit, admin) in a namespace."""
        words = ("create", "rolebinding", f"{user}-{role}", f"--clusterrole={role}", f"--user={user}", "-n", namespace)
        self.kubectl(*words)

    def add_node(self, name: str, capacity: Mapping[str, str] | None = None) -> None:
        """Add a machine and wait until it is Ready."""
        resources = {"cpu": "32", "memory": "256Gi", "pods": "110"} | dict(capacity or {})
        labels = {"kubernetes.io/hostname": name}
        metadata = {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}}
        status = {"capacity": resources, "allocatable": resources}
        self.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status})
        self.restore_node(name)

    def lose_node(self, name: str) -> None:
        """Cut a machine's power: its heartbeat stops, and its pods are replaced on others within about 15 seconds.

        As in life, the lost pods stay in the API, terminating, until the machine comes back or its Node is deleted.
        """
        self.machines.pop(name).kill()

    def restore_node(self, name: str) -> None:
        """Give a lost machine its power back, and wait until it is Ready; it then ends its terminating pods."""
        self.machines[name] = _machine(name, self.kubeconfigs["kwok"], self.folder)
        wait_until(lambda: self._is_up(name), f"node {name} Ready")

    def _is_up(self, name: str) -> bool:
        """Whether a machine is Ready; if not, its Node is touched.

        kwok leaves a Node alone while its own cache does not show the lease that it has just taken, and looks at it
        again only when the Node changes (kwok 0.8 `NodeLeaseController.Held`).
        """
        if _is_ready(self.get("node", name)):
            return True
        self.kubectl("annotate", "node", name, f"touched={time.monotonic_ns()}", "--overwrite")
        return False


@contextmanager
def start(
    folder: Path,
    *,
    nodes: int = 2,
    users: Mapping[str, Sequence[str]] = PEOPLE,
    apiserver_flags: Sequence[str] = (),
) -> Iterator[Cluster]:
    """Run a control plane and so many nodes, with data and logs in `folder`.

    `users` gives each user's groups; a user may do nothing until `Cluster.may` says so. With no nodes there are no
    controllers and no scheduler either: objects are admitted and stored, and nothing follows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokens = {user: f"token-of-{user}" for user in (*SYSTEM, *users)}
    _write_credentials(folder, tokens, {**SYSTEM, **users})
    with ExitStack() as stack:
        etcd_url = stack.enter_context(_etcd(folder))
        url = stack.enter_context(_apiserver(folder, etcd_url, apiserver_flags))
        ca = folder / "certificates" / "apiserver.crt"
        kubeconfigs = {user: _write_kubeconfig(folder, user, token, url, ca) for user, token in tokens.items()}
        cluster = Cluster(url, ca, kubeconfigs, tokens, {}, folder)
        if nodes:
            stack.enter_context(_controllers(cluster))
            stack.enter_context(_follower(cluster, "kube-scheduler"))
            stack.callback(_stop_machines, cluster)
            for number in range(1, nodes + 1):
                cluster.add_node(f"node-{number}")
        yield cluster


@contextmanager
def _etcd(folder: Path) -> Iterator[str]:
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command: list[str | Path] = [
        parts.cluster_program("etcd"),
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]
    with running("etcd", command, folder, lambda: _is_healthy(f"{client}/health")):
        yield client


@contextmanager
def _apiserver(folder: Path, etcd_url: str, extra: Sequence[str]) -> Iterator[str]:
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    key = folder / "service-accounts.key"
    command: list[str | Path] = [
        parts.cluster_program("kube-apiserver"),
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--service-account-issuer={url}",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        f"--service-cluster-ip-range={SERVICE_ADDRESSES}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
        f"--default-not-ready-toleration-seconds={POD_TOLERATION_S}",
        f"--default-unreachable-toleration-seconds={POD_TOLERATION_S}",
        *extra,
    ]
    with running("kube-apiserver", command, folder, lambda: _is_healthy(f"{url}/readyz")):
        yield url


def _controllers(cluster: Cluster) -> AbstractContextManager[Process]:
    # Each controller acts under its own name, as in clusters made by kubeadm.
    key = cluster.folder / "service-accounts.key"
    flags = ("--use-service-account-credentials=true", f"--service-account-private-key-file={key}")
    pace = ("--node-monitor-period=1s", f"--node-monitor-grace-period={NODE_GRACE_S}s", "--node-eviction-rate=10")
    return _follower(cluster, "kube-controller-manager", *flags, *pace)


@contextmanager
def _follower(cluster: Cluster, program: str, *flags: str) -> Iterator[Process]:
    port = free_port()
    command: list[str | Path] = [
        parts.cluster_program(program),
        f"--kubeconfig={cluster.kubeconfigs[f'system:{program}']}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        *flags,
    ]
    with running(program, command, cluster.folder, lambda: _is_healthy(f"https://127.0.0.1:{port}/healthz")) as process:
        yield process


def _machine(name: str, kubeconfig: Path, folder: Path) -> Process:
    stages = sorted((parts.cluster() / "kwok-stages").glob("*.yaml"))
    command: list[str | Path] = [
        parts.cluster_program("kwok"),
        f"--kubeconfig={kubeconfig}",
        f"--manage-single-node={name}",
        f"--node-lease-duration-seconds={NODE_LEASE_S}",
        *(f"--config={stage}" for stage in stages),
    ]
    return spawn(f"machine-{name}", command, folder)


def _stop_machines(cluster: Cluster) -> None:
    for machine in cluster.machines.values():
        machine.stop()


def _is_ready(node: Json) -> bool:
    conditions = node["status"].get("conditions", ())
    tainted = node["spec"].get("taints")
    return not tainted and any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _is_healthy(url: str) -> bool:
    # Each server has made its own certificate a moment ago; nothing secret is asked.
    try:
        return httpx.get(url, verify=False, timeout=2).is_success  # noqa: S501
    except httpx.TransportError:
        return False


def _write_credentials(folder: Path, tokens: Mapping[str, str], users: Mapping[str, Sequence[str]]) -> None:
    with (folder / "tokens.csv").open("w", newline="") as file:
        csv.writer(file).writerows((tokens[user], user, user, ",".join(groups)) for user, groups in users.items())
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "service-accounts.key").write_bytes(pem)


def _write_kubeconfig(folder: Path, user: str, token: str, url: str, ca: Path) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": str(ca)}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "current-context": "test",
    }
    path = folder / f"{user.replace(':', '-')}.kubeconfig"
    path.write_text(json.dumps(config))
    return path
