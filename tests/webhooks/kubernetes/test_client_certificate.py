"""A real API server that is told, for one address and not for another, to show a client certificate to its webhook."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from fastapi import FastAPI

from governance.app import webhook_app
from governance.bootstrap import Parts
from governance.cli.serve import listeners
from governance.settings import Webhook
from tests.admission.conftest import CLUSTER, Hospital, hospital, policy
from tests.http.site import production, running
from tests.parts import cluster
from tests.parts.authority import Authority, Client, authority
from tests.parts.cluster import Cluster, Json, KubectlError
from tests.parts.process import free_port, wait_until
from tests.webhooks.kubernetes.test_real_cluster import replicated, workload
from webhooks.kubernetes.certificates import Certificates, issue
from webhooks.kubernetes.install import Installation, manifests

__all__ = ["hospital", "policy"]
pytestmark = pytest.mark.real

NAMESPACE = "ct-training"
NAME = "kube-apiserver-webhook"


@dataclass(frozen=True, slots=True)
class Ground:
    """A control plane; the ports at which it shows a certificate, and shows none; and what a webhook needs there."""

    kubernetes: Cluster
    shown_at: int
    hidden_at: int
    certificates: Certificates
    vouching: Authority


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    vouching, certificates = authority(folder), issue(folder, ["127.0.0.1"], datetime.now(UTC))
    shown_at, hidden_at = free_port(), free_port()
    file = admission_configuration(folder, f"127.0.0.1:{shown_at}", vouching.client(NAME))
    flags = (f"--admission-control-config-file={file}",)
    with cluster.start(folder / "cluster", nodes=0, apiserver_flags=flags) as kubernetes:
        kubernetes.kubectl("create", "namespace", NAMESPACE)
        yield Ground(kubernetes, shown_at, hidden_at, certificates, vouching)


def admission_configuration(folder: Path, host: str, shown: Client) -> Path:
    """The file that docs/install.md describes: for this host, and no other, an API server shows this certificate."""
    kubeconfig, file = folder / "webhooks.kubeconfig", folder / "admission.yaml"
    user = {"client-certificate": str(shown.certificate), "client-key": str(shown.key)}
    kubeconfig.write_text(
        yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "users": [{"name": host, "user": user}]})
    )
    plugin = {
        "name": "ValidatingAdmissionWebhook",
        "configuration": {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "WebhookAdmissionConfiguration",
            "kubeConfigFile": str(kubeconfig),
        },
    }
    about = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration"}
    file.write_text(yaml.safe_dump({**about, "plugins": [plugin]}))
    return file


@pytest.fixture
def dialect() -> str:
    """One kind is enough: nothing here is about the database."""
    return "sqlite"


@contextmanager
def asked(ground: Ground, hospital: Hospital, port: int, *names: str) -> Iterator[None]:
    """The real webhook at this port, which takes certificates with these names, registered with the control plane."""
    settings = production(
        webhook=Webhook(
            certificate=ground.certificates.certificate,
            key=ground.certificates.key,
            client_ca_file=ground.vouching.file,
            client_names=names,
        )
    )
    parts = Parts(settings, hospital.engine, hospital.admission.policy)
    server, _ = listeners(settings, webhook_app(parts), FastAPI())
    address = f"https://127.0.0.1:{port}"
    registration = manifests(Installation(CLUSTER, address, ground.certificates.authority.read_bytes()))[-1]
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", port)))
        stack.enter_context(running(server, listener))
        ground.kubernetes.apply(registration)
        stack.callback(
            ground.kubernetes.kubectl, "delete", "validatingwebhookconfiguration", registration["metadata"]["name"]
        )
        wait_until(lambda: refusal(ground, 1000, "--dry-run=server"), "the webhook is asked")
        yield


def refusal(ground: Ground, replicas: int, *words: str) -> str:
    """Why a Deployment of so many pods, a tenth of a core each, is refused; empty if it is made."""
    wanted: Json = workload("Deployment", f"viewer-{replicas}", NAMESPACE, replicated("viewer", replicas))
    try:
        ground.kubernetes.kubectl("create", "-f", "-", *words, stdin=json.dumps(wanted))
    except KubectlError as error:
        return str(error)
    return ""


def test_with_its_certificate_a_create_passes_and_is_charged_or_denied_by_quota(
    ground: Ground, hospital: Hospital
) -> None:
    with asked(ground, hospital, ground.shown_at, NAME):
        assert refusal(ground, 3) == ""
        assert hospital.used(NAMESPACE, "requests.cpu") == 300
        assert "limit 24 of radiology/ct-training" in refusal(ground, 300)


@pytest.mark.parametrize(
    ("shown", "names", "why"),
    [(False, (), "none was shown"), (True, ("another-apiserver",), f"certificate of {NAME} is not taken")],
)
def test_without_it_or_with_another_a_create_is_refused_and_nothing_is_charged(
    ground: Ground, hospital: Hospital, shown: bool, names: tuple[str, ...], why: str
) -> None:
    with asked(ground, hospital, ground.shown_at if shown else ground.hidden_at, *names):
        assert why in refusal(ground, 1)
    assert hospital.used(NAMESPACE, "requests.cpu") == 0
