"""A private key with a passphrase: no command waits for somebody to type it; each names the setting."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from governance.cli import exits
from webhooks.kubernetes.certificates import issue


@pytest.fixture(params=[serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    made = issue(tmp_path, ["127.0.0.1"], datetime.now(UTC))
    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"hunter2")
    made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, request.param, secret))
    return {
        "GOVERNANCE_ENVIRONMENT": "demo",
        "GOVERNANCE_DATABASE__URL": f"sqlite:///{tmp_path}/governance.db",
        "GOVERNANCE_WEBHOOK__CERTIFICATE": str(made.certificate),
        "GOVERNANCE_WEBHOOK__KEY": str(made.key),
    }


@pytest.mark.parametrize(("command", "code"), [("serve", exits.INVALID), ("doctor", exits.INVALID)])
def test_nobody_is_asked_for_a_passphrase(settings: dict[str, str], command: str, code: int) -> None:
    """With a terminal of its own, from which OpenSSL would read; a command that waited there would not end."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "governance", command],
            env={**os.environ, **settings},
            stdin=theirs,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == code
    assert "webhook.key: " in done.stdout + done.stderr
    assert "asks for a passphrase" in done.stdout + done.stderr
    assert "pass phrase" not in done.stdout + done.stderr
