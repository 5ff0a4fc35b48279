"""The description of the API is true: generated requests, good and bad, get the answers that it promises."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.api.conftest import Api, serve_example, token_of
from tests.api.rows import deny
from tests.http.site import demo
from tests.identity import issuer

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
OFTEN = 1_000_000  # so many a minute: generated sign-ins and tokens are wrong ones, and come fast
ROUTES = 51
REFUSES_MORE_THAN_A_SCHEMA_CAN_SAY = {
    "POST /api/v1/checkpoints": "what is signed, and by whom",
    "POST /api/v1/configuration/plan": "files are manifests, in YAML, that refer to each other",
    "POST /api/v1/configuration/apply": "the same files, and they must hold at least a root department",
    "POST /api/v1/clusters/{name}/warn": "the longest time is a setting of the installation",
    "POST /api/v1/changes/{number}/approve": "which quantities the ledger can hold depends on the resource",
}


@pytest.fixture
def api(sqlite: Engine) -> Iterator[Api]:
    """The example hospital with an identity provider."""
    rates = {"sign_in_requests_per_minute": OFTEN, "wrong_tokens_per_minute": OFTEN}
    with issuer.running() as provider:
        oidc = {"issuer": provider.url, "client_id": issuer.CLIENT, "device_client_id": "governance-cli"}
        yield from serve_example(sqlite, demo(web=rates, oidc=oidc))


def configuration(api: Api, person: str) -> str:
    """What schemathesis is told: whose token to send, and, where one is signed out, another one of theirs."""
    lines = [
        "[headers]",
        f"Authorization = {json.dumps(f'Bearer {api.tokens[person]}')}",
        "[[operations]]",
        'include-name = "DELETE /api/v1/session"',
        f"headers = {{ Authorization = {json.dumps(f'Bearer {token_of(api.engine, person)}')} }}",
    ]
    for route in REFUSES_MORE_THAN_A_SCHEMA_CAN_SAY:
        lines += ["[[operations]]", f'include-name = "{route}"', "checks.positive_data_acceptance.enabled = false"]
    return "\n".join(lines)


@pytest.mark.long
@pytest.mark.parametrize("person", ["sato", "lindqvist", "bauer"])
def test_every_answer_is_one_that_the_description_promises(api: Api, person: str, tmp_path: Path) -> None:
    deny(api.engine)
    told = tmp_path / "schemathesis.toml"
    told.write_text(configuration(api, person))
    command: list[str | Path] = [
        SCHEMATHESIS,
        f"--config-file={told}",
        "run",
        f"{api.url}/api/v1/openapi.json",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=10",
        "--no-color",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert f"Selected: {ROUTES}/{ROUTES}" in done.stdout, done.stdout
    assert api.call(person, "GET", "/session").is_success, "the run's own token held to its end"
