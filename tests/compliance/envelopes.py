"""Envelopes as an attestor signs them, made by hand from the protocol, and ways to spoil them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DIGEST = "sha256:" + "5a" * 32
TYPE = "application/vnd.in-toto+json"
KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)

Json = dict[str, Any]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding, DSSE protocol: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body."""
    kind = payload_type.encode()
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])


def statement(at: datetime, **predicate: object) -> Json:
    """A passed vuln-scan of DIGEST. A value of None leaves a field of the predicate out."""
    fields = {"type": "vuln-scan", "result": "pass", "attestor": "image-scanner", "time": at.isoformat(), **predicate}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "registry.example/slides", "digest": {"sha256": DIGEST.partition(":")[2]}}],
        "predicateType": "https://governance.io/checkpoint/v1",
        "predicate": {name: value for name, value in fields.items() if value is not None},
    }


def seal(
    payload: Mapping[str, Any] | bytes,
    key: Ed25519PrivateKey = KEY,
    payload_type: str = TYPE,
    **signature: object,
) -> Json:
    """The envelope of a payload."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    sig = base64.b64encode(key.sign(pae(payload_type, body))).decode()
    return {
        "payloadType": payload_type,
        "payload": base64.b64encode(body).decode(),
        "signatures": [{"keyid": "", "sig": sig, **signature}],
    }


def sent(envelope: Mapping[str, Any]) -> bytes:
    """As it goes over the line."""
    return json.dumps(envelope).encode()
