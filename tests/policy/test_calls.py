from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from governance.policy import bundle, calls
from tools import parts

FORBIDDEN = [
    "http.send",
    "time.now_ns",
    "opa.runtime",
    "rand.intn",
    "rego.metadata.rule",
    "net.lookup_ip_addr",
    "trace",
]


def refused(body: str) -> str:
    text = f"package governance.rules.x\n\nimport data.governance.facts\n\nallowed(x) if x\n\np if {{\n\t{body}\n}}\n"
    known = {("governance.facts", "named"), ("governance.rules.x", "allowed"), ("governance.rules.x", "p")}
    return calls.refused(text, "governance.rules.x", known)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_call_that_reaches_outside_the_document_is_refused(name: str) -> None:
    assert refused(f"{name}({{}})") == name
    assert refused(f"x := [y | y := {name}  ({{}})]") == name


@pytest.mark.parametrize(
    "body",
    [
        'http["send"]({})',
        "http [`send`] ({})",
        'x := $"{http.send({})}"',
        "count([]) with count as http.send",
        "http. send({})",
        'strings. count("a", "b")',
        'strings .count("a", "b")',
        "http .send({})",
        "http.\n\tsend({})",
    ],
)
def test_a_call_in_disguise_is_refused(body: str) -> None:
    assert refused(body)


@pytest.mark.parametrize(
    "body",
    [
        "count([]) == 0",
        "facts.named(input.x)",
        "allowed(1)",
        'input.x == "http.send()"',
        "true # http.send()",
        "not (1)",
    ],
)
def test_what_stays_in_the_document_is_allowed(body: str) -> None:
    assert refused(body) == ""


@pytest.mark.parametrize("body", ["facts.other(1)", "other.named(1)", "sprintf(``, [])"])
def test_what_is_not_known_is_refused(body: str) -> None:
    assert refused(body)


@pytest.mark.real
class TestOpaHoldsTheSameList:
    """`opa check` with policies/capabilities.json."""

    def check(self, folder: Path) -> subprocess.CompletedProcess[str]:
        policies = bundle.packaged()
        command: list[str | Path] = [parts.policy() / "bin" / "opa", "check", "--strict", "--ignore", "*_test.rego"]
        command += ["--capabilities", policies / "capabilities.json", "--schema", policies / "schemas"]
        return subprocess.run([*command, folder / "governance"], capture_output=True, text=True, check=False)

    def test_the_lists_are_one(self) -> None:
        capabilities = json.loads((bundle.packaged() / "capabilities.json").read_text())
        assert {one["name"] for one in capabilities["builtins"] if "infix" not in one} == calls.ALLOWED
        assert capabilities["allow_net"] == []

    def test_the_packaged_policies_pass(self) -> None:
        assert self.check(bundle.packaged()).returncode == 0

    @pytest.mark.parametrize("name", [name for name in FORBIDDEN if name != "rego.metadata.rule"])
    def test_a_forbidden_call_does_not_compile(self, tmp_path: Path, name: str) -> None:
        shutil.copytree(bundle.packaged(), tmp_path, dirs_exist_ok=True)
        file = tmp_path / "governance/rules/freeze/freeze.rego"
        file.write_text(file.read_text() + f"\nreached := {name}({{}})\n")
        checked = self.check(tmp_path)
        assert checked.returncode == 1
        assert f"undefined function {name}" in checked.stderr

    def test_a_fact_that_the_schema_does_not_know_does_not_compile(self, tmp_path: Path) -> None:
        shutil.copytree(bundle.packaged(), tmp_path, dirs_exist_ok=True)
        file = tmp_path / "governance/rules/freeze/freeze.rego"
        file.write_text(file.read_text().replace("input.project.environment", "input.project.environmnt"))
        assert "undefined ref: input.project.environmnt" in self.check(tmp_path).stderr
