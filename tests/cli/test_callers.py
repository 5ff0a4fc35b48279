"""Who calls the listeners, as `serve` makes them: API servers that must prove themselves, and people behind a proxy."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request

from governance.cli.serve import listeners
from governance.settings import Webhook
from tests.http.site import demo, production, running
from tests.parts.authority import Authority, Client, authority
from webhooks.kubernetes.certificates import Certificates, issue

ADMIT = "/kubernetes/north/admit"


@dataclass(frozen=True, slots=True)
class Door:
    """Where it listens, and whom it knows."""

    url: str
    certificates: Certificates
    vouching: Authority

    def client(self, shown: Client | None = None) -> httpx.Client:
        """A client that shows this certificate."""
        context = ssl.create_default_context(cafile=str(self.certificates.authority))
        if shown:
            context.load_cert_chain(shown.certificate, shown.key)
        return httpx.Client(base_url=self.url, verify=context)


def app() -> FastAPI:
    made = FastAPI()
    for path in ("/healthz", "/readyz", "/metrics", "/other"):
        made.get(path)(lambda: "how it is")
    made.post(ADMIT)(lambda: "admitted")
    return made


@contextmanager
def opened(folder: Path, *names: str) -> Iterator[Door]:
    """The listener on a free port, for clients of an authority that bear one of these names."""
    certificates, vouching = issue(folder, ["127.0.0.1"], datetime.now(UTC)), authority(folder)
    webhook = Webhook(
        certificate=certificates.certificate,
        key=certificates.key,
        client_ca_file=vouching.file,
        client_names=names,
    )
    server, _ = listeners(production(webhook=webhook), app(), FastAPI())
    with socket.create_server(("127.0.0.1", 0)) as listener, running(server, listener):
        yield Door(f"https://127.0.0.1:{listener.getsockname()[1]}", certificates, vouching)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("door")) as one:
        yield one


@pytest.fixture(scope="module")
def choosy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("choosy"), "kube-apiserver", "Apiserver.Hospital.example") as one:
        yield one


def test_who_shows_a_certificate_is_answered_each_time(door: Door) -> None:
    with door.client(door.vouching.client("anybody")) as client:
        assert [client.post(ADMIT).json() for _ in range(2)] == ["admitted"] * 2


def test_who_shows_none_reads_how_the_service_is_and_nothing_else(door: Door) -> None:
    with door.client() as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert client.get(path).json() == "how it is"
        for path in (ADMIT, "/other", "/healthz/../kubernetes/north/admit", "//healthz", "/"):
            answer = client.post(path)
            assert (answer.status_code, "none was shown" in answer.text) == (403, True), path


@pytest.mark.parametrize("purpose", ["client", "server"])
def test_a_certificate_of_another_authority_or_for_another_purpose_ends_the_handshake(
    door: Door, tmp_path: Path, purpose: str
) -> None:
    signer = authority(tmp_path) if purpose == "client" else door.vouching
    with door.client(signer.client("stranger", purpose=purpose)) as client, pytest.raises(httpx.TransportError):
        client.post(ADMIT)


@pytest.mark.parametrize(
    ("name", "dns_names"), [("kube-apiserver", ()), ("other", ("x.example", "apiserver.hospital.example"))]
)
def test_a_certificate_with_one_of_the_names_is_taken(choosy: Door, name: str, dns_names: Sequence[str]) -> None:
    with choosy.client(choosy.vouching.client(name, dns_names)) as client:
        assert client.post(ADMIT).json() == "admitted"


def test_a_certificate_with_another_name_is_refused_and_told_which_it_bears(choosy: Door) -> None:
    with choosy.client(choosy.vouching.client("kubelet", ["node-1.example"])) as client:
        answer = client.post(ADMIT)
        assert (answer.status_code, "kubelet, node-1.example" in answer.text) == (403, True)
        assert client.get("/healthz").is_success


@pytest.mark.parametrize(
    ("trusted", "caller"),
    [(("127.0.0.1",), "192.0.2.7"), (("127.0.0.0/8", "192.0.2.7"), "198.51.100.1"), (("10.0.0.1",), "127.0.0.1")],
)
def test_a_trusted_proxy_alone_says_who_calls(trusted: tuple[str, ...], caller: str) -> None:
    pages = FastAPI()

    @pages.get("/")
    def address(request: Request) -> str:
        return request.client.host if request.client else ""

    _, server = listeners(demo(web={"trusted_proxies": trusted}), FastAPI(), pages)
    forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.1, 192.0.2.7"}
    with socket.create_server(("127.0.0.1", 0)) as listener, running(server, listener):
        port = listener.getsockname()[1]
        assert httpx.get(f"http://127.0.0.1:{port}/", headers=forwarded).json() == caller
