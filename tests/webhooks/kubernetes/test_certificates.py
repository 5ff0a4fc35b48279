import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from webhooks.kubernetes.certificates import Certificates, issue


def _handshake(made: Certificates, authority: Path, server_name: str) -> str:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.certificate, made.key)
    client = ssl.create_default_context(cafile=str(authority))
    ours, theirs = socket.socketpair()
    failures: list[BaseException] = []

    def accept() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True):
                pass
        except (ssl.SSLError, OSError) as error:
            failures.append(error)
            theirs.close()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=server_name) as connection:
            return str(connection.version())
    finally:
        ours.close()
        thread.join(timeout=10)


@pytest.mark.parametrize("name", ["127.0.0.1", "governance.governance.svc"])
def test_a_client_that_trusts_the_authority_accepts_each_name(tmp_path: Path, name: str) -> None:
    made = issue(tmp_path, ["127.0.0.1", "governance.governance.svc"], datetime.now(UTC))
    assert _handshake(made, made.authority, name) == "TLSv1.3"


def test_another_name_is_refused(tmp_path: Path) -> None:
    made = issue(tmp_path, ["governance.governance.svc"], datetime.now(UTC))
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(made, made.authority, "elsewhere.svc")


def test_another_authority_is_refused(tmp_path: Path) -> None:
    made = issue(tmp_path / "a", ["127.0.0.1"], datetime.now(UTC))
    other = issue(tmp_path / "b", ["127.0.0.1"], datetime.now(UTC))
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(made, other.authority, "127.0.0.1")


def test_the_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    made = issue(tmp_path, ["127.0.0.1"], datetime.now(UTC))
    assert made.key.stat().st_mode & 0o777 == 0o600


def test_making_them_again_replaces_all_three(tmp_path: Path) -> None:
    first = issue(tmp_path, ["127.0.0.1"], datetime.now(UTC)).key.read_bytes()
    again = issue(tmp_path, ["127.0.0.1"], datetime.now(UTC))
    assert again.key.read_bytes() != first
    assert _handshake(again, again.authority, "127.0.0.1") == "TLSv1.3"
