"""Hold the policies to their gate: formatted, strictly checked against the input's schema, linted, tested in full.

    python -m tools.policy.check

Built-ins that reach outside the input are taken from the compiler, so that a policy which uses one does not compile.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import parts

POLICIES = Path(__file__).resolve().parents[2] / "policies"
FORBIDDEN = {"http.send", "time.now_ns", "opa.runtime", "rand.intn", "net.lookup_ip_addr", "trace"}
FORBIDDEN_PREFIXES = ("rego.metadata.",)
FULL_COVERAGE_PERCENT = 100
IGNORE = ("--ignore", "schemas")
SCHEMA = ("--schema", str(POLICIES / "schemas"))


def main() -> int:
    """Run every step, and say which one failed."""
    programs = parts.policy() / "bin"
    opa, regal = str(programs / "opa"), str(programs / "regal")
    with tempfile.TemporaryDirectory() as folder:
        capabilities = Path(folder) / "capabilities.json"
        capabilities.write_text(_capabilities(opa))
        steps = {
            "opa fmt": [opa, "fmt", "--fail", "--diff", str(POLICIES)],
            "opa check": [
                opa,
                "check",
                "--strict",
                "--capabilities",
                str(capabilities),
                *SCHEMA,
                *IGNORE,
                str(POLICIES),
            ],
            "regal lint": [regal, "lint", "--fail-level", "warning", str(POLICIES)],
            "opa test": [opa, "test", "--fail-on-empty", *SCHEMA, *IGNORE, str(POLICIES)],
        }
        for name, command in steps.items():
            print(f"policies: {name}", flush=True)
            if subprocess.run(command, check=False).returncode != 0:
                print(f"policies: {name} failed", file=sys.stderr)
                return 1
    return _coverage(opa)


def _capabilities(opa: str) -> str:
    current = json.loads(subprocess.run([opa, "capabilities", "--current"], check=True, capture_output=True).stdout)
    current["builtins"] = [
        builtin
        for builtin in current["builtins"]
        if builtin["name"] not in FORBIDDEN and not builtin["name"].startswith(FORBIDDEN_PREFIXES)
    ]
    return json.dumps(current)


def _coverage(opa: str) -> int:
    command = [opa, "test", "--coverage", "--format=json", *IGNORE, str(POLICIES)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    for file, found in report["files"].items():
        for lines in found.get("not_covered", ()):
            print(f"policies: {file}:{lines['start']['row']}-{lines['end']['row']} is not tested", file=sys.stderr)
    print(f"policies: coverage {report['coverage']} %")
    return 0 if report["coverage"] == FULL_COVERAGE_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
