import pytest

from benchmarks.__main__ import QUICK, Effort, effort_of
from benchmarks.figures import median, percentile_99, pooled, quantile, ratio


def test_a_quantile_lies_between_its_neighbours() -> None:
    assert quantile([4, 1, 3, 2], 0.5) == 2.5
    assert percentile_99(list(range(101))) == 99


def test_a_ratio_of_the_same_rounds_leaves_out_what_slowed_both() -> None:
    calm, busy = [1.0, 1.0], [10.0, 10.0]
    twice = ratio([[2.0, 2.0], [20.0, 20.0]], [calm, busy], max)
    assert (twice.low, twice.value, twice.high) == (2, 2, 2)


def test_rounds_that_differ_give_an_interval_around_the_value() -> None:
    found = pooled([[float(number)] for number in range(1, 8)], median)
    assert found.low < found.value == 4 < found.high


def test_too_few_rounds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert effort_of([]) == Effort()
    assert effort_of(["--quick"]) == QUICK
    assert effort_of(["--rounds", "9"]).rounds == 9
    with pytest.raises(SystemExit):
        effort_of(["--rounds", "4"])
    assert "at least 5" in capsys.readouterr().err
