"""One thing that is looked at in an installation, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from governance.errors import GovernanceError

State = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it stands, what was found, and what mends it.

    A warning is what works today and asks for attention; wrong is what keeps the product from doing what it promises.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


def ok(name: str, found: str) -> Check:
    return Check(name, "ok", found)


def warning(name: str, found: str, remedy: str) -> Check:
    return Check(name, "warning", found, remedy)


def wrong(name: str, found: str, remedy: str) -> Check:
    return Check(name, "wrong", found, remedy)


def broken(name: str, error: GovernanceError) -> Check:
    """The check of something that failed in our own words."""
    where = f"{error.field}: " if error.field else ""
    return wrong(name, f"{where}{error.detail}", error.remedy or "Read the log of the service.")


def tried(name: str, look: Callable[[], Check]) -> Check:
    """Look; an error of ours is what was found."""
    try:
        return look()
    except GovernanceError as error:
        return broken(name, error)
