"""Figures with their uncertainty. Pure.

A measurement comes in rounds, and each round measures every way in turn, so that a slow minute of the machine slows
all of them. An interval is a percentile bootstrap (Efron 1979) over whole rounds: rounds are drawn with replacement,
the same ones for both sides of a ratio.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS_MIN = 5  # with fewer, an interval says nothing
DRAWS = 2000
COVERAGE = 0.95
_SEED = 1

Samples = Sequence[float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and the interval that holds it in 95 of 100 repetitions."""

    value: float
    low: float
    high: float


def quantile(samples: Samples, share: float) -> float:
    """The value below which this share of the samples lies, interpolated between neighbours."""
    ordered = sorted(samples)
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(samples: Samples) -> float:
    """The middle one."""
    return quantile(samples, 0.5)


def mean(samples: Samples) -> float:
    """The sum over the number."""
    return sum(samples) / len(samples)


def percentile_99(samples: Samples) -> float:
    """What one in a hundred exceeds."""
    return quantile(samples, 0.99)


def pooled(rounds: Sequence[Samples], statistic: Callable[[Samples], float]) -> Figure:
    """A statistic over the samples of all rounds."""
    return _bootstrap(len(rounds), lambda drawn: statistic(_pool(rounds, drawn)))


def ratio(over: Sequence[Samples], under: Sequence[Samples], statistic: Callable[[Samples], float]) -> Figure:
    """A statistic of one way divided by that of another, measured in the same rounds."""
    return _bootstrap(len(over), lambda drawn: statistic(_pool(over, drawn)) / statistic(_pool(under, drawn)))


def difference(over: Sequence[Samples], under: Sequence[Samples], statistic: Callable[[Samples], float]) -> Figure:
    """A statistic of one way less that of another, measured in the same rounds."""
    return _bootstrap(len(over), lambda drawn: statistic(_pool(over, drawn)) - statistic(_pool(under, drawn)))


def _pool(rounds: Sequence[Samples], drawn: Sequence[int]) -> list[float]:
    return [one for number in drawn for one in rounds[number]]


def _bootstrap(rounds: int, statistic: Callable[[Sequence[int]], float]) -> Figure:
    chance = random.Random(_SEED)  # noqa: S311  (the same samples give the same interval)
    draws = min(DRAWS, rounds**rounds)
    values = [statistic(chance.choices(range(rounds), k=rounds)) for _ in range(draws)]
    tail = (1 - COVERAGE) / 2
    return Figure(statistic(range(rounds)), quantile(values, tail), quantile(values, 1 - tail))
