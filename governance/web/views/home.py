"""The first page after sign-in."""

from __future__ import annotations

from dataclasses import dataclass

from governance.web.views.change import ChangeLine
from governance.web.views.parts import Freeze, Meter, Warned


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change that waits for the reader, with what a one-click approval needs to name."""

    line: ChangeLine
    consequence: str
    version: int


@dataclass(frozen=True, slots=True)
class ReviewDue:
    """An emergency that waits for the reader's review."""

    line: ChangeLine
    reason: str


@dataclass(frozen=True, slots=True)
class DepartmentMeter:
    """A meter with the department that it belongs to."""

    place: str
    href: str
    meter: Meter


@dataclass(frozen=True, slots=True)
class Home:
    """What waits, what is mine, what runs out, what is frozen."""

    sentence: str
    freezes: tuple[Freeze, ...]
    warned: tuple[Warned, ...]
    observed: tuple[str, ...]  # clusters that do not enforce yet
    reviews: tuple[ReviewDue, ...]
    waiting: tuple[Waiting, ...]
    more_waiting: int
    mine: tuple[ChangeLine, ...]
    meters: tuple[DepartmentMeter, ...]
    may_approve: bool
    may_ask: bool
