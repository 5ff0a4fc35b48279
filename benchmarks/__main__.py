"""`make bench`: what one admission costs on this machine. Prints ratios and intervals; asserts nothing."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url

from benchmarks import creates, hospital, stages, tables
from benchmarks.figures import ROUNDS_MIN
from benchmarks.ground import OPA, WASM, control_plane, stores
from governance import logs
from governance.bootstrap import Parts, build
from governance.settings import Database, Policy, Settings
from tests.parts import opa as opas
from tests.parts import postgres as databases
from tests.parts import wasm
from tests.parts.line import line

CREATES_SECONDS_MAX = 180.0
STAGES_SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: rounds, and per round pods by one client, pods by sixteen, admissions in this process."""

    rounds: int = 7
    alone: int = 200
    together: int = 480
    admissions: int = 150


QUICK = Effort(rounds=ROUNDS_MIN, alone=60, together=96, admissions=40)


def run(effort: Effort, folder: Path) -> str:
    """Measure everything, with data and logs in `folder`, and give the report."""
    with stores(folder) as (database, opa):
        bundle = wasm.built(folder)
        policies = {OPA: Policy(engine="opa", opa_url=opa.url), WASM: Policy(engine="wasm", bundle=bundle)}
        with control_plane(folder, database, policies) as client:
            made = creates.measure(
                client,
                rounds=effort.rounds,
                alone=effort.alone,
                together=effort.together,
                seconds_max=CREATES_SECONDS_MAX,
            )
        installations = {
            "PostgreSQL and OPA": _installation(Database(url=database.create_database()), policies[OPA]),
            "PostgreSQL and Wasm": _installation(Database(url=database.create_database()), policies[WASM]),
            "SQLite and regopy": _installation(Database(url=f"sqlite:///{folder}/ledger.db"), Policy()),
        }
        taken = stages.measure(
            installations, rounds=effort.rounds, count=effort.admissions, seconds_max=STAGES_SECONDS_MAX
        )
        trips = _round_trips(database, opa)
        for parts in installations.values():
            parts.engine.dispose()
    return "\n\n".join((_machine(len(made.per_second[OPA])), tables.creates(made), tables.stages(taken), trips))


def _installation(database: Database, policy: Policy) -> Parts:
    hospital.found(database)
    return build(Settings(database=database, policy=policy))


def _round_trips(database: databases.Postgres, opa: opas.Opa) -> str:
    """How often an admission waits for another process, counted on the wire."""
    url = make_url(database.create_database())
    hospital.found(Database(url=url.render_as_string(hide_password=False)))
    with line(database.port) as to_database, line(urlsplit(opa.url).port or 0) as to_policy:
        near = url.set(port=to_database.port).render_as_string(hide_password=False)
        policy = Policy(engine="opa", opa_url=f"http://127.0.0.1:{to_policy.port}")
        parts = build(Settings(database=Database(url=near), policy=policy))
        stages.admit_all(parts, "warm", 10)  # connects, and prepares its statements
        before = to_database.round_trips, to_policy.round_trips
        count = 100
        stages.admit_all(parts, "counted", count)
        asked = [now - then for now, then in zip((to_database.round_trips, to_policy.round_trips), before, strict=True)]
        parts.engine.dispose()
    return f"round trips of one admission: {asked[0] / count:.2f} to PostgreSQL, {asked[1] / count:.2f} to OPA"


def _machine(rounds: int) -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = next((one for one in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in one), ": unknown")
    return (
        f"{os.cpu_count()} x {model.split(':', 1)[1].strip()}, {memory_gib:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}; load average at the end {os.getloadavg()[0]:.1f}; "
        f"{rounds} rounds; [95 % intervals]"
    )


def effort_of(words: Sequence[str] | None = None) -> Effort:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, help=f"at least {ROUNDS_MIN}")
    parser.add_argument("--quick", action="store_true", help="fewer pods in each round")
    asked = parser.parse_args(words)
    effort = QUICK if asked.quick else Effort()
    if asked.rounds is None:
        return effort
    if asked.rounds < ROUNDS_MIN:
        parser.error(f"--rounds: at least {ROUNDS_MIN}, or the intervals say nothing")
    return replace(effort, rounds=asked.rounds)


def main() -> None:
    """Measure and print."""
    effort = effort_of()
    logs.configure("warning")
    with tempfile.TemporaryDirectory(prefix="governance-bench-") as folder:
        print(run(effort, Path(folder)))


if __name__ == "__main__":
    main()
