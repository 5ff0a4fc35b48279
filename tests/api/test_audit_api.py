from __future__ import annotations

from pathlib import Path

import pytest

from governance import clock
from governance.audit.chain import key_id
from governance.audit.keys import ensure_key
from governance.audit.seal import seal
from governance.audit.verify import verify
from tests.api.conftest import Api


def test_the_log_is_taken_away_and_verifies(api: Api, tmp_path: Path) -> None:
    key = ensure_key(tmp_path / "audit.pem")
    seal(api.engine, key, clock.now())
    answer = api.call("brandt", "GET", "/audit/export")
    assert answer.headers["content-type"].startswith("application/jsonl")
    (tmp_path / "export").write_bytes(answer.content)
    public = key.public_key()
    report = verify(tmp_path / "export", {key_id(public): public}, [])
    assert (report.segments, report.findings) == (1, ())
    assert report.events > 0


def test_that_it_was_taken_stands_in_it(api: Api, tmp_path: Path) -> None:
    api.call("brandt", "GET", "/audit/export")
    seal(api.engine, ensure_key(tmp_path / "audit.pem"), clock.now())
    assert b'"audit.export"' in api.call("brandt", "GET", "/audit/export").content


@pytest.mark.parametrize("person", ["okafor", "lindqvist", "deployer"])
def test_only_who_may_read_the_log_takes_it(api: Api, person: str) -> None:
    assert api.call(person, "GET", "/audit/export").status_code == 403
