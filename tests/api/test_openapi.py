"""The description of the API is true: generated requests, good and bad, get the answers that it promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.conftest import Api
from tests.api.rows import deny

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
UNTRUE_HERE = "positive_data_acceptance"  # what fits the schema may still name a change or a node that is not there


@pytest.mark.long
@pytest.mark.parametrize("person", ["sato", "lindqvist"])
def test_every_answer_is_one_that_the_description_promises(api: Api, person: str, tmp_path: Path) -> None:
    deny(api.engine)
    command: list[str | Path] = [
        SCHEMATHESIS,
        "run",
        f"{api.url}/api/v1/openapi.json",
        f"--header=Authorization: Bearer {api.tokens[person]}",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=10",
        "--exclude-path-regex=/session",  # signing out would end the token that the run uses
        f"--exclude-checks={UNTRUE_HERE}",
        "--no-color",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "Selected: 29/33" in done.stdout, done.stdout
