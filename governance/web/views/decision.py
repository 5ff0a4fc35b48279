"""Decisions: the list, and the page that explains one."""

from __future__ import annotations

from dataclasses import dataclass

from governance.web.views.change import Filter
from governance.web.views.parts import Badge, Difference, Event, Fact, Moment, Number


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One decision in a list."""

    href: str
    sentence: str
    status: Badge
    where: str
    who: str
    at: Moment
    times: int  # a repeated identical denial is one row with a count
    why: str = ""


@dataclass(frozen=True, slots=True)
class DecisionList:
    """The list of decisions with its filters."""

    sentence: str
    filters: tuple[Filter, ...]
    text: str
    lines: tuple[DecisionLine, ...]
    empty_title: str
    empty_text: str
    older: str
    filtered: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """A violation or a warning, with the rule that found it."""

    sentence: str
    rule: str  # the rule's title
    code: str
    solution: str


@dataclass(frozen=True, slots=True)
class QuotaFact:
    """One row of the quota as policy saw it."""

    node: str
    href: str
    resource: str
    increase: Number
    used: Number
    limit: Number | None
    after: str  # share of the limit after it, in percent
    over: bool


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """One decision, explained."""

    name: str
    sentence: str
    consequence: str
    status: Badge
    at: Moment
    times: int
    last_seen: Moment
    differences: tuple[Difference, ...]
    request: tuple[Fact, ...]
    violations: tuple[Reason, ...]
    warnings: tuple[Reason, ...]
    quota: tuple[QuotaFact, ...]
    known: tuple[Fact, ...]  # what else policy was told: project, cluster, freezes, rules
    versions: tuple[Fact, ...]  # policy digest, configuration revision
    approvals: tuple[Event, ...]  # who approved, where a grant was used
    trail: tuple[Event, ...]  # audit events
    document: str  # the policy input, as JSON
    ask_href: str
    change_name: str
    change_href: str
