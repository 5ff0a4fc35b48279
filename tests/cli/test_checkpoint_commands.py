"""`governance checkpoint`, and the API behind it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import update

from governance.audit.keys import ensure_key, load_key, public_pem
from governance.compliance.tables import Attestor
from governance.db.session import transaction
from tests.api.conftest import Api
from tests.cli.conftest import Ended, Shell
from tests.cli.test_billing_commands import run
from tests.compliance.signing import DIGEST, IMAGE, OTHER_KEY, envelope


@pytest.fixture
def key(api: Api, tmp_path: Path) -> Path:
    """The attestor's private key, in a file."""
    file = tmp_path / "attestor.pem"
    made = ensure_key(file)
    with transaction(api.engine) as session:
        session.execute(update(Attestor).values(public_key=public_pem(made)))
    return file


def record(shell: Shell, api: Api, key: Path, *more: str, digest: str = IMAGE, type_: str = "vuln-scan") -> Ended:
    words = ("--type", type_, "--digest", digest, "--result", "pass", "--key", str(key), *more)
    return run(shell, api, "deployer", "checkpoint", "record", *words)


def test_a_checkpoint_is_signed_here_and_recorded(shell: Shell, api: Api, key: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("{}")
    done = record(shell, api, key, "--evidence", str(report), "--until", "2099-01-01T00:00:00Z")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"vuln-scan of {DIGEST}: pass, attested by image-scanner. (")
    listed = run(shell, api, "okafor", "checkpoint", "list", "--digest", DIGEST)
    assert [line.split()[:3] for line in listed.out.splitlines()[1:]] == [["vuln-scan", DIGEST, "pass"]]
    (row,) = json.loads(run(shell, api, "okafor", "checkpoint", "list", "--output", "json").out)
    assert row["evidence"] == [{"uri": "report.json", "sha256": hashlib.sha256(b"{}").hexdigest()}]
    assert row["resource"] == IMAGE.split("@")[0]
    assert run(shell, api, "okafor", "checkpoint", "list", "--type", "licences").out.count("\n") == 1


def test_an_envelope_of_another_tool_is_recorded_once(shell: Shell, api: Api, key: Path, tmp_path: Path) -> None:
    file = tmp_path / "scan.json"
    file.write_bytes(envelope(load_key(key), result="fail"))
    first = run(shell, api, "deployer", "checkpoint", "record", "--envelope", str(file))
    again = run(shell, api, "deployer", "checkpoint", "record", "--envelope", str(file))
    assert "fail" in first.out
    assert again.out == first.out
    sent = json.loads(file.read_text())
    assert api.call("deployer", "POST", "/checkpoints", json=sent).status_code == 200


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--result", "passed"), 2, "--result must be pass or fail."),
        (("--at", "yesterday"), 2, "--at: 'yesterday' is no time. Write it like 2026-11-27T10:00:00Z."),
        (("--at", "2099-01-01T00:00:00Z"), 3, "predicate.at: it is in the future. Set the attestor's clock."),
        (("--key", "nowhere.pem"), 3, "--key: nowhere.pem is not a readable Ed25519 private key in PEM."),
        (("--evidence", "nowhere.json"), 3, "nowhere.json cannot be read: No such file or directory."),
        (("--digest", "slides:1"), 3, "subject[0].digest.sha256: it must be a SHA-256 in 64 hexadecimal digits."),
        (("--type", "penetration-test"), 4, "image-scanner may attest vuln-scan, and not penetration-test."),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    shell: Shell, api: Api, key: Path, more: tuple[str, ...], code: int, said: str
) -> None:
    refused = record(shell, api, key, *more)
    assert refused.code == code, refused
    assert said in refused.err
    assert refused.err.count("\n") == 1


def test_who_may_not_send_or_has_not_signed_is_refused(shell: Shell, api: Api, key: Path) -> None:
    other = record(shell, api, key)
    assert other.code == 0
    sent = json.loads(envelope(OTHER_KEY))
    refused = api.call("deployer", "POST", "/checkpoints", json=sent)
    assert (refused.status_code, refused.json()["field"]) == (422, "signatures")
    assert api.call("bauer", "POST", "/checkpoints", json=sent).status_code == 403
    assert run(shell, api, "okafor", "checkpoint", "record").code == 2
    huge = {**sent, "payload": "A" * 70_000}
    assert api.call("deployer", "POST", "/checkpoints", json=huge).status_code == 413
