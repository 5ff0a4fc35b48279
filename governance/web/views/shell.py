"""What stands around every page: who reads it, where they may go, and what holds for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from governance.web.views.parts import Somebody


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A way to a page: `key` follows `g` on the keyboard."""

    title: str
    href: str
    icon: str
    key: str
    current: bool = False
    waiting: int = 0  # how much waits for the reader there


@dataclass(frozen=True, slots=True)
class Shell:
    """The frame of a page. Without a person only the mark and the way to sign in are shown."""

    place: str  # the root department's title
    person: Somebody | None = None
    csrf_token: str = ""
    navigation: tuple[NavigationItem, ...] = ()
    demo: bool = False
    notice: str = ""  # what was just done, said once
    zone: str = ""  # in which the times of the page are


NOBODY = Shell(place="")
