import re
from pathlib import Path

import pytest

from benchmarks.__main__ import Effort, run
from benchmarks.stages import STAGES

TINY = Effort(rounds=2, alone=3, together=16, admissions=3)


@pytest.mark.real
def test_the_bench_runs_and_an_admission_takes_two_round_trips_to_the_database_and_one_to_policy(
    tmp_path: Path,
) -> None:
    report = run(TINY, tmp_path)
    assert "governance, OPA / no-op webhook" in report
    assert "governance, Wasm / no-op webhook" in report
    assert all(stage in report for stage in STAGES)
    counted = re.search(r"([\d.]+) to PostgreSQL, ([\d.]+) to OPA", report)
    assert counted is not None
    assert float(counted[1]) == 2
    assert 1 <= float(counted[2]) < 1.1  # every few seconds OPA's policies are compared with ours
