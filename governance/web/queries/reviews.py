"""The form of an approver: what stands in it, and what terms were typed into it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from governance.change.model import Asks, No, Terms, Yes
from governance.change.read import Standing
from governance.change.tables import ChangeRequest
from governance.change.tally import ReviewValue
from governance.errors import BadInput
from governance.web.formats import number
from governance.web.queries.asks import end_of
from governance.web.reader import Reader
from governance.web.views.change import Ask, ReviewForm
from governance.web.views.parts import Problem
from governance.wording import Unit, resource_title, unit_for

_AMOUNT = re.compile(r"[0-9][0-9,]{0,17}(\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into the review form and could not be taken, and what is wrong with it."""

    note: str
    fields: Mapping[str, str]
    problems: tuple[Problem, ...]


def review_form(standing: Standing, asks: Asks, reader: Reader, allowed: Yes | No, typed: Typed | None) -> ReviewForm:
    """A fresh form with everything as asked, or what was typed; for who may not decide, why not."""
    if isinstance(allowed, No):
        return ReviewForm(may=allowed.reason)
    change, me = standing.change, reader.principal.person_id
    said = next((one.verdict for one in reversed(standing.reviews) if _is_verdict(one, me)), "")
    last = _last_day(change, reader)
    fields = typed.fields if typed else {}
    return ReviewForm(
        may="",
        note=typed.note if typed else "",
        less=less_fields(asks, fields),
        until=fields.get("until", last),
        until_min=reader.now.astimezone(reader.zone).date().isoformat(),
        until_max=last,
        own_verdict=f"You have said: {said}. Until it is decided you can change your mind." if said else "",
        open_terms=any(one.field.startswith(("less-", "until")) for one in (typed.problems if typed else ())),
        problems=typed.problems if typed else (),
    )


def _is_verdict(review: ReviewValue, person_id: UUID) -> bool:
    return review.person_id == person_id and review.verdict in {"approve", "reject"}


def _last_day(change: ChangeRequest, reader: Reader) -> str:
    return (change.valid_until - timedelta(seconds=1)).astimezone(reader.zone).date().isoformat()


def terms_of(asks: Asks, change: ChangeRequest, typed: Mapping[str, str], reader: Reader) -> Terms:
    """The terms that were typed; what stands as it was asked is not a term.

    Raises:
        BadInput: an amount or a day that cannot be read; names the form's field.
    """
    amounts: dict[str, int] = {}
    for field, name in zip(less_fields(asks, {}), rising(asks), strict=True):
        text = typed.get(field.field, "").strip()
        if text and text != field.value:
            unit = unit_for(name, (asks.before[name], asks.after[name]))
            amounts[name] = _amount(text, unit, field)
    day = typed.get("until", "")
    until = end_of(day, reader) if day and day != _last_day(change, reader) else None
    return Terms.at_most(asks, amounts, until)


def _amount(text: str, unit: Unit, field: Ask) -> int:
    if _AMOUNT.fullmatch(text):  # no exponent: 1e999999 is a short text and a number that nobody can hold
        value = Decimal(text.replace(",", "")) * unit.divisor
        if value == value.to_integral_value():
            return int(value)
    example = f"Write it like {field.value}."
    raise BadInput(f"{field.title}: “{text[:20]}” is not an amount.", field=field.field, remedy=example)


def rising(asks: Asks) -> tuple[str, ...]:
    """The resources of which less can be granted, in the order of the form's fields."""
    return tuple(sorted(name for name in asks.after if asks.after[name] > asks.before[name]))


def less_fields(asks: Asks, typed: Mapping[str, str]) -> tuple[Ask, ...]:
    """A field for each resource that rises; `typed` holds what was typed, by field."""
    found = []
    for position, name in enumerate(rising(asks)):
        unit = unit_for(name, (asks.before[name], asks.after[name]))
        asked = number(name, asks.after[name], unit).text
        field = f"less-{position}"
        before = number(name, asks.before[name], unit).text
        value = typed.get(field, asked.replace(",", ""))
        found.append(Ask(field, resource_title(name), unit.label, before, asked, value))
    return tuple(found)
