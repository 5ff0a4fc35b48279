"""Signed webhooks to another system, in the style of Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp` and
`webhook-signature`, an HMAC-SHA256 over `id.timestamp.body`. Receivers can check it with any library for that."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson

from governance import clock
from governance.clock import Clock
from governance.errors import BadInput
from governance.notify.outbox import Channel, DeliveryFailed, Outgoing
from governance.settings import Outbound

TIMEOUT_S = 10
TOLERANCE = timedelta(minutes=5)
_PREFIX = "whsec_"


def webhook_channel(outbound: Outbound, now: Clock = clock.now) -> Channel:
    """The channel that posts to the configured address.

    Raises:
        BadInput: the address is neither https nor loopback, or there is no secret to sign with.
    """
    url = check_url(outbound.url)
    if outbound.secret is None:
        raise BadInput(
            "There is no secret to sign with.", field="outbound.secret", remedy="Set one of 24 or more bytes."
        )
    key = key_of(outbound.secret.get_secret_value())
    client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=url.scheme == "https")

    def deliver(message: Outgoing) -> None:
        body = body_of(message)
        try:
            with client.stream("POST", url, content=body, headers=headers_of(message, body, key, now())) as response:
                status = response.status_code  # the body is never read: it is not ours to trust
        except httpx.HTTPError as error:
            raise DeliveryFailed(f"the receiver does not answer ({type(error).__name__})") from error
        if not 200 <= status < 300:
            raise DeliveryFailed(f"the receiver answered {status}", for_good=status == 410)

    return deliver


def check_url(text: str) -> httpx.URL:
    """The address, if it is https, or http to this very host. Raises BadInput."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if not (url.host and (url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host)))):
        raise BadInput(
            "A webhook goes to an https address, or to http on loopback.",
            field="outbound.url",
            remedy="Write it like https://hooks.hospital.example/governance.",
        )
    if url.userinfo:
        raise BadInput("A webhook's address holds no password.", field="outbound.url", remedy="Leave it out.")
    return url


def body_of(message: Outgoing) -> bytes:
    """`{"type", "timestamp", "data"}`: the same bytes for every attempt."""
    return orjson.dumps(
        {"type": message.topic, "timestamp": message.created_at.isoformat(), "data": dict(message.payload)},
        option=orjson.OPT_SORT_KEYS,
    )


def headers_of(message: Outgoing, body: bytes, key: bytes, now: datetime) -> dict[str, str]:
    """The signed headers of one attempt."""
    timestamp = str(int(now.timestamp()))
    return {
        "content-type": "application/json",
        "user-agent": "governance-webhook/1",
        "webhook-id": str(message.id),
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(key, str(message.id), timestamp, body),
    }


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 over `id.timestamp.body` in base64."""
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(key: bytes, headers: Mapping[str, str], body: bytes, now: datetime) -> Any:  # noqa: ANN401  (the JSON)
    """What a receiver does, for receivers of our own: the body's JSON if it is signed and fresh. Raises BadInput."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    expected = signature(key, message_id, timestamp, body).encode()
    given = headers.get("webhook-signature", "").encode().split(b" ")
    if not any(hmac.compare_digest(expected, one) for one in given):
        raise BadInput("The signature is not valid.", field="webhook-signature")
    if not timestamp.isdecimal() or abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        raise BadInput("The message is too old, or from the future.", field="webhook-timestamp")
    return orjson.loads(body)


def key_of(secret: str) -> bytes:
    """The key: the base64 behind `whsec_` as the standard writes it, or the text's own bytes. Raises BadInput."""
    if not secret.startswith(_PREFIX):
        key = secret.encode()
    else:
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            key = b""
    if len(key) < 24:
        raise BadInput(
            "The secret is too short, or not base64.", field="outbound.secret", remedy="Use 24 or more bytes."
        )
    return key


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
