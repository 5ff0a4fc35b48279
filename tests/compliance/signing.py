"""Checkpoints for tests, signed with a key of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.audit.keys import public_pem
from governance.clock import now
from governance.compliance.attestation import sign
from governance.compliance.model import Checkpoint

KEY = Ed25519PrivateKey.generate()
OTHER_KEY = Ed25519PrivateKey.generate()
PEM = public_pem(KEY)
DIGEST = "sha256:" + "4f" * 32
IMAGE = f"registry.example/slides@{DIGEST}"
PASSED = Checkpoint(type="vuln-scan", result="pass", digest=DIGEST, at=now() - timedelta(hours=1))


def envelope(key: Ed25519PrivateKey = KEY, **changes: Any) -> bytes:  # noqa: ANN401
    """A signed checkpoint: a scan that passed an hour ago, changed."""
    return sign(replace(PASSED, **changes), key)
