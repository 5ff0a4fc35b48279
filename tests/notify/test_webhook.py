"""Signed webhooks: against a mocked transport for what goes wrong, and against a real server for what arrives."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx
from pydantic import SecretStr

from governance.errors import BadInput
from governance.notify.outbox import DeliveryFailed, Outgoing
from governance.notify.webhook import body_of, headers_of, key_of, verify, webhook_channel
from governance.settings import Outbound

NOW = datetime(2026, 11, 23, 10, 44, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
MESSAGE = Outgoing(
    UUID("01a209f3-dc5e-739c-88bd-87d105b5e08a"), NOW, "outbound", "change.approved", "CH-1", {"change": "CH-1"}, 1
)
URL = "https://hooks.hospital.example/governance"


def outbound(url: str = URL, secret: str | None = SECRET) -> Outbound:
    return Outbound(url=url, secret=None if secret is None else SecretStr(secret))


@contextmanager
def receiver(answer: int = 200) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A real HTTP server on loopback that keeps what it is sent."""
    received: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(answer)
            self.send_header("content-length", "0")
            self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:  # noqa: ANN401
            """Keep the test's output clean."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", received
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_what_arrives_is_signed_over_id_timestamp_and_body() -> None:
    with receiver() as (url, received):
        webhook_channel(outbound(url), lambda: NOW)(MESSAGE)
    ((headers, body),) = received
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == str(MESSAGE.id)
    assert json.loads(body) == {"type": "change.approved", "timestamp": NOW.isoformat(), "data": {"change": "CH-1"}}
    assert verify(b"k" * 32, headers, body, NOW)["type"] == "change.approved"


def test_a_redirect_is_not_followed() -> None:
    with receiver(302) as (url, received), pytest.raises(DeliveryFailed, match="answered 302"):
        webhook_channel(outbound(url), lambda: NOW)(MESSAGE)
    assert len(received) == 1


@pytest.mark.parametrize(("status", "for_good"), [(500, False), (404, False), (429, False), (410, True)])
@respx.mock
def test_anything_but_success_is_a_failure_and_gone_is_final(status: int, for_good: bool) -> None:
    respx.post(URL).respond(status)
    with pytest.raises(DeliveryFailed) as failed:
        webhook_channel(outbound())(MESSAGE)
    assert failed.value.for_good is for_good


@respx.mock
def test_a_receiver_that_is_slow_or_gone_is_tried_again_and_its_address_is_not_told() -> None:
    for error in (httpx.ReadTimeout("slow"), httpx.ConnectError("gone: https://secret.example")):
        respx.post(URL).mock(side_effect=error)
        with pytest.raises(DeliveryFailed, match="does not answer") as failed:
            webhook_channel(outbound())(MESSAGE)
        assert "secret.example" not in str(failed.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks",
        "http://hooks.hospital.example/",
        "http://127.0.0.1.hospital.example/",
        "ftp://127.0.0.1/",
        "https://",
        "https://u:p@hooks.hospital.example/",
        "file:///etc/passwd",
    ],
)
def test_an_address_is_https_or_loopback_and_holds_no_password(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        webhook_channel(outbound(url))
    assert refused.value.field == "outbound.url"


@pytest.mark.parametrize("secret", [None, "", "short", "whsec_%%%", "whsec_c2hvcnQ="])
def test_a_secret_is_long_enough(secret: str | None) -> None:
    with pytest.raises(BadInput) as refused:
        webhook_channel(outbound(secret=secret))
    assert refused.value.field == "outbound.secret"


def test_the_bytes_of_every_attempt_are_the_same() -> None:
    assert body_of(MESSAGE) == body_of(MESSAGE)
    assert key_of("k" * 32) == b"k" * 32


@pytest.mark.parametrize("what", ["body", "id", "timestamp", "signature", "old", "future", "key"])
def test_a_receiver_of_ours_refuses_what_is_changed_or_stale(what: str) -> None:
    key, body = b"k" * 32, body_of(MESSAGE)
    headers, now = headers_of(MESSAGE, body, key, NOW), NOW
    if what == "body":
        body += b" "
    elif what in {"id", "timestamp", "signature"}:
        headers[f"webhook-{what}"] += "1"
    elif what in {"old", "future"}:
        now += timedelta(seconds=301 if what == "old" else -301)
    else:
        key = b"x" * 32
    with pytest.raises(BadInput):
        verify(key, headers, body, now)
