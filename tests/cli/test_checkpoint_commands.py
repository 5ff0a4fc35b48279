"""`governance checkpoint`, and the API behind it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import select

from governance.audit.keys import ensure_key, load_key, public_pem
from governance.clock import now
from governance.compliance.tables import Attestor, CheckpointRow
from governance.db.session import reading, transaction
from tests.api.conftest import Api
from tests.cli.conftest import Ended, Shell
from tests.cli.test_billing_commands import run
from tests.compliance.envelopes import DIGEST, OTHER_KEY, seal, sent, statement


@pytest.fixture
def key(api: Api, tmp_path: Path) -> Path:
    """The attestor's private key, in a file."""
    file = tmp_path / "attestor.pem"
    made = ensure_key(file)
    with transaction(api.engine) as session:
        session.execute(update(Attestor).values(public_key=public_pem(made)))
    return file


def record(shell: Shell, api: Api, key: Path, *more: str) -> Ended:
    words = ("--type", "vuln-scan", "--digest", DIGEST, "--result", "pass", "--attestor", "image-scanner")
    return run(shell, api, "deployer", "checkpoint", "record", *words, "--key", str(key), *more)


def test_a_checkpoint_is_signed_here_and_recorded(shell: Shell, api: Api, key: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("{}")
    done = record(shell, api, key, "--evidence", str(report), "--until", "2099-01-01T00:00:00Z")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"vuln-scan pass of {DIGEST}, attested by image-scanner at ")
    listed = run(shell, api, "okafor", "checkpoint", "list", "--digest", DIGEST)
    assert [line.split()[:2] for line in listed.out.splitlines()[1:]] == [["vuln-scan", "pass"]]
    (row,) = json.loads(run(shell, api, "okafor", "checkpoint", "list", "--output", "json").out)
    assert row["evidence"] == [{"name": "report.json", "sha256": hashlib.sha256(b"{}").hexdigest()}]
    assert run(shell, api, "okafor", "checkpoint", "list", "--type", "licences").out.count("\n") == 1


def test_an_envelope_of_another_tool_is_sent_as_it_is_and_recorded_once(
    shell: Shell, api: Api, key: Path, tmp_path: Path
) -> None:
    file = tmp_path / "scan.json"
    file.write_bytes(sent(seal(statement(now(), result="fail"), load_key(key))))
    first = run(shell, api, "deployer", "checkpoint", "record", "--envelope", str(file))
    again = run(shell, api, "deployer", "checkpoint", "record", "--envelope", str(file))
    assert first.out.startswith("vuln-scan fail of ")
    assert again.out == first.out
    assert api.call("deployer", "POST", "/checkpoints", json=json.loads(file.read_text())).status_code == 200
    with reading(api.engine) as session:
        (row,) = session.exec(select(CheckpointRow)).all()
    assert row.envelope == json.loads(file.read_text())
    file.write_text('{"payload": "", "payload": ""}')
    refused = run(shell, api, "deployer", "checkpoint", "record", "--envelope", str(file))
    assert (refused.code, refused.err) == (3, "payload: The member stands twice in one object.\n")


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--result", "passed"), 3, "--result: 'passed' is not pass or fail."),
        (("--until", "tomorrow"), 3, "--until: 'tomorrow' is not a time with its zone"),
        (("--until", "2001-01-01T00:00:00Z"), 3, "predicate.until: It ends before it begins."),
        (("--key", "nowhere.pem"), 3, "nowhere.pem cannot be read: No such file or directory."),
        (("--evidence", "nowhere.json"), 3, "nowhere.json cannot be read: No such file or directory."),
        (("--digest", "slides:1"), 3, "--digest: 'slides:1' is not sha256: and 64 hexadecimal digits."),
        (("--type", "penetration-test"), 3, "image-scanner may attest vuln-scan, and not penetration-test."),
        (("--attestor", "nobody"), 3, "There is no attestor nobody."),
        (("--envelope", "scan.json"), 2, "--type is in the envelope already. Leave it out."),
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
    assert record(shell, api, key).code == 0
    other = seal(statement(now()), OTHER_KEY)
    refused = api.call("deployer", "POST", "/checkpoints", json=other)
    assert (refused.status_code, refused.json()["field"]) == (422, "signatures")
    assert api.call("bauer", "POST", "/checkpoints", json=other).status_code == 403
    assert run(shell, api, "okafor", "checkpoint", "record").code == 2
    huge = {**other, "payload": "A" * 70_000}
    assert api.call("deployer", "POST", "/checkpoints", json=huge).status_code == 413
    old = seal(statement(now().replace(year=2020)), load_key(key))
    assert api.call("deployer", "POST", "/checkpoints", json=old).json()["field"] == "predicate.time"
