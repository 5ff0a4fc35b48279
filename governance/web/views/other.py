"""Sign-in, errors, search, the demo's mails."""

from __future__ import annotations

from dataclasses import dataclass

from governance.web.views.parts import Badge, Moment, Somebody


@dataclass(frozen=True, slots=True)
class SignInChoice:
    """Somebody whom a visitor of the demo may be."""

    name: str
    person: Somebody
    what: str  # what they are, in a sentence


@dataclass(frozen=True, slots=True)
class SignInPage:
    """How to sign in: with the identity provider, or, in the demo, by choosing a person."""

    start_url: str
    demo_url: str
    next_path: str
    people: tuple[SignInChoice, ...]


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What happened, and what to try."""

    status: int
    icon: str
    sentence: str
    detail: str
    remedy: str
    request_id: str
    fields: tuple[str, ...]
    again: str = ""  # the way on other than Home, in words
    again_href: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that a search found."""

    title: str
    href: str
    detail: str
    status: Badge | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What was searched and found, by kind."""

    text: str
    sentence: str
    groups: tuple[tuple[str, tuple[Hit, ...]], ...]


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail of the demo."""

    href: str
    receiver: str
    subject: str
    at: Moment
    status: Badge
    body: str = ""
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mails:
    """The mails that the demo would have sent."""

    sentence: str
    mails: tuple[Mail, ...]
    opened: Mail | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """The page of keys: for browsers without scripts it says what scripts would do."""

    sentence: str = "These keys save your hands, where scripts run."
