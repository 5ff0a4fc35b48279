"""The change page, the list of changes, and the page on which a change is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from governance.web.views.parts import (
    Badge,
    Choice,
    Difference,
    Event,
    Fact,
    Meter,
    Moment,
    Need,
    Problem,
)


@dataclass(frozen=True, slots=True)
class NodeMeters:
    """The meters of one node."""

    title: str
    href: str
    meters: tuple[Meter, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """One resource that an approver may grant less of."""

    field: str
    title: str
    unit: str
    before: str  # what stands there today, in the ledger's notation
    asked: str
    value: str  # what is typed now


@dataclass(frozen=True, slots=True)
class ReviewForm:
    """The form of an approver. `may` is empty when the reader may decide, else says why not."""

    may: str
    note: str = ""
    less: tuple[Ask, ...] = ()
    until: str = ""  # a date, as a date field takes it
    until_max: str = ""
    until_min: str = ""
    own_verdict: str = ""  # what the reader has said before
    open_terms: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class PostReview:
    """What an emergency owes: a review by one of those who were skipped. `may` is empty for who may write it now."""

    due: Moment
    overdue: bool
    done: bool
    skipped: tuple[str, ...]
    may: str
    note: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangePage:
    """One change request."""

    name: str  # CH-1042
    href: str
    version: int
    status: Badge
    requester: str
    needs_line: str
    decide_by: Moment | None
    sentence: str
    consequence: str
    chips: tuple[Badge, ...]
    differences: tuple[Difference, ...]
    facts: tuple[Fact, ...]
    quotas: tuple[NodeMeters, ...]  # the limits that it presses
    quotas_more: tuple[NodeMeters, ...]  # those that have room
    needs: tuple[Need, ...]
    timeline: tuple[Event, ...]
    review: ReviewForm | None  # None: the change is decided
    after: PostReview | None = None  # of an emergency alone
    outcome: str = ""  # what follows from the state, for a change that is decided
    may_withdraw: bool = False
    may_answer: bool = False
    may_revoke: bool = False
    problems: tuple[Problem, ...] = ()
    typed: str = ""  # a note that could not be taken, kept even where there is no form any more
    live: bool = False  # the page asks for news while others decide


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change in a list."""

    name: str
    href: str
    sentence: str
    status: Badge
    where: str
    who: str
    at: Moment
    due: Moment | None
    due_word: str = "decide by"
    late: str = ""  # little time is left, or none: in a word
    needs_line: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of a list: a field of the query string with its choices."""

    name: str
    title: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class ChangeList:
    """The list of changes with its filters."""

    sentence: str
    filters: tuple[Filter, ...]
    text: str
    lines: tuple[ChangeLine, ...]
    empty_title: str
    empty_text: str
    older: str  # where older ones are; empty: these are all
    filtered: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """What was denied, exactly as it was asked, and why."""

    decision: str
    decision_href: str
    status: Badge
    consequence: str
    differences: tuple[Difference, ...]
    facts: tuple[Fact, ...]
    quotas: tuple[NodeMeters, ...]
    quotas_more: tuple[NodeMeters, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskPage:
    """What was denied, and the form that makes a change request of it."""

    denied: Denied
    sentence: str
    needs: tuple[Need, ...]  # who would have to approve
    may: str  # empty: the reader may ask; else the reason why not
    existing: str  # the change that is open for this request already
    existing_href: str
    urgent: str  # who can let it through at once in an emergency; empty: nobody, for no exception answers it
    urgent_href: str  # where the reader can; empty: they cannot
    reason: str = ""
    reference: str = ""
    until: str = ""
    until_min: str = ""
    until_max: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class EmergencyPage:
    """What was denied, what breaking the glass would do, and its form."""

    denied: Denied
    ask_href: str
    sentence: str
    follows: tuple[Badge, ...]  # what will happen, each with its icon
    may: str  # empty: the reader may; else the reason why not
    may_href: str  # the change that stands in the way, where one does
    may_link: str
    hours_max: int
    hours: str
    reason: str = ""
    incident: str = ""
    problems: tuple[Problem, ...] = ()
