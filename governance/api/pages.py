"""Lists are read a page at a time: newest first, from a cursor on. What a cursor holds is nobody's business."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from governance.errors import BadInput

LIMIT_MAX = 200

Item = TypeVar("Item")
Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.")]
Cursor = Annotated[str, Query(max_length=100, description="`next` of the page before; empty: from the newest on.")]


class Page(BaseModel, Generic[Item]):
    """A page of a list. `next` is empty on the last one."""

    items: list[Item]
    next: str = ""


def page_of(rows: Sequence[Row], limit: int, place: Callable[[Row], str], show: Callable[[Row], Item]) -> Page[Item]:
    """A page from the rows that were read, one more than `limit` where there are more. `place` orders them."""
    shown = rows[:limit]
    following = encode(place(shown[-1])) if len(rows) > limit else ""
    return Page(items=[show(row) for row in shown], next=following)


def encode(place: str) -> str:
    """A cursor that stands for this place in a list."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """The place that a cursor stands for; empty for the start. Raises BadInput."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise _not_a_cursor() from None


def decode_id(cursor: str) -> UUID | None:
    """The key that a cursor stands for; None for the start. Raises BadInput."""
    try:
        return UUID(decode(cursor)) if cursor else None
    except ValueError:
        raise _not_a_cursor() from None


def decode_number(cursor: str) -> int | None:
    """The number that a cursor stands for; None for the start. Raises BadInput."""
    place = decode(cursor)
    if place and not (place.isascii() and place.isdigit() and len(place) <= 9):
        raise _not_a_cursor()
    return int(place) if place else None


def _not_a_cursor() -> BadInput:
    return BadInput("This is not a cursor.", field="cursor", remedy="Send `next` of the page before, or leave it out.")
