"""`governance policy build`, and the service that runs what it made."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.cli import exits
from governance.policy import bundle
from governance.policy.factory import health, make_policy_engine
from governance.settings import Policy
from tests.cli.conftest import Shell
from tools import parts


@pytest.mark.real
def test_a_folder_of_policies_becomes_a_bundle_that_a_service_with_that_folder_runs(
    shell: Shell, tmp_path: Path
) -> None:
    folder, output = tmp_path / "policies", tmp_path / "policies.tar.gz"
    for one in bundle.load().modules:
        path = folder / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(one.text + "\n# ours\n")
    opa = str(parts.policy() / "bin" / "opa")
    ended = shell.run("policy", "build", "--opa", opa, "--directory", str(folder), "--output", str(output))
    digest = bundle.load(folder).digest
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{output}: 10 rules, digest {digest[:12]}.")
    compiled = health(make_policy_engine(Policy(engine="wasm", directory=folder, bundle=output)))
    assert (compiled.ready, compiled.digest) == (True, digest)


def test_without_opa_it_says_what_to_do(shell: Shell, tmp_path: Path) -> None:
    ended = shell.run("policy", "build", "--opa", "no-such-opa", "--output", str(tmp_path / "policies.tar.gz"))
    assert (ended.code, ended.out) == (exits.INVALID, "")
    assert ended.err == "opa: no-such-opa is no program here. Install OPA 1.x, or say where it is with --opa.\n"


def test_a_folder_without_policies_is_refused(shell: Shell, tmp_path: Path) -> None:
    ended = shell.run("policy", "build", "--directory", str(tmp_path))
    assert ended.code == exits.INVALID
    assert "There is no package governance.admission" in ended.err
