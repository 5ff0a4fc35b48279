"""The small parts that pages are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["neutral", "info", "good", "caution", "bad"]
Kind = Literal["used", "held", "kept", "adds", "over"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its unit; `exact` is read out and shown on hover; `href` leads to what it is made of."""

    text: str
    unit: str = ""
    exact: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in the reader's zone. `iso` is for machines, `exact` for hovering."""

    iso: str
    text: str
    exact: str


@dataclass(frozen=True, slots=True)
class Badge:
    """A state: a word with an icon; the tone only underlines them."""

    word: str
    icon: str
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person as shown on a page."""

    display_name: str
    note: str = ""  # what they are here: "you", "acts for M. Lindqvist"

    @property
    def initials(self) -> str:
        words = [word for word in self.display_name.replace(".", " ").split() if word.lower() not in {"dr", "prof"}]
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a meter, in percent of its width, as an SVG length without the sign."""

    kind: Kind
    start: str
    width: str


@dataclass(frozen=True, slots=True)
class Meter:
    """A limit, drawn: hard limit, used, reserved, guaranteed to others, what a request adds, what may be borrowed."""

    title: str
    resource: str
    sentence: str  # the whole meter in words, for screen readers
    used: Number
    held: Number | None
    kept: Number | None
    adds: Number | None
    hard: Number | None  # None: no limit
    borrowable: Number | None
    allowance: Number | None
    segments: tuple[Segment, ...]
    hard_at: str | None  # where the hard limit is drawn, in percent
    borrow_width: str | None  # of the part beyond the hard limit
    share: str  # of the limit, with this request
    badge: Badge
    href: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """One rule's need: so many people of a group, and who has said what."""

    group: str
    minimum: int
    done: bool
    approved_by: tuple[tuple[Somebody, Moment], ...]
    rejected_by: tuple[tuple[Somebody, Moment], ...]
    who_can: str  # "3 people can"; why the reader can not, where they can not
    rule: str


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of a timeline."""

    at: Moment
    icon: str
    who: str
    text: str
    tone: Tone = "neutral"
    quote: str = ""
    link_text: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of what changes: before and after, with what it means where that can be said."""

    title: str
    before: str
    after: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a form: the field's id (empty: the form as a whole) and a sentence."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value in a list of facts."""

    name: str
    value: str
    detail: str = ""
    href: str = ""
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a filter."""

    value: str
    title: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze that holds now, or soon."""

    sentence: str
    until: Moment
    calendar: str


@dataclass(frozen=True, slots=True)
class Warned:
    """A cluster that was switched to warn: until when, by whom, why."""

    sentence: str
    until: Moment
    by: str
    reason: str
