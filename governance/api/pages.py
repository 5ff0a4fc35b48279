"""Lists are read a page at a time: newest first, from a cursor on. What a cursor holds is nobody's business."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from governance.errors import BadInput

LIMIT_MAX = 200

Item = TypeVar("Item")
Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.")]

_NUMBER = "[1-9][0-9]{0,8}"
_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _cursor(pattern: str) -> Any:  # noqa: ANN401  (a parameter of a route)
    """Described by a pattern, and read by one of ours, so that the problem says what to send instead."""
    told = "`next` of the page before; empty: from the newest on."
    return Query(max_length=100, description=told, json_schema_extra={"pattern": f"^(?:{pattern})?$"})


NumberCursor = Annotated[str, _cursor(_NUMBER)]
IdCursor = Annotated[str, _cursor(_ID)]


class Page(BaseModel, Generic[Item]):
    """A page of a list. `next` is empty on the last one."""

    items: list[Item]
    next: str = ""


def page_of(rows: Sequence[Row], limit: int, place: Callable[[Row], str], show: Callable[[Row], Item]) -> Page[Item]:
    """A page from the rows that were read, one more than `limit` where there are more. `place` orders them."""
    shown = rows[:limit]
    following = place(shown[-1]) if len(rows) > limit else ""
    return Page(items=[show(row) for row in shown], next=following)


def read_id(cursor: str) -> UUID | None:
    """The key that a cursor stands for; None for the start. Raises BadInput."""
    if cursor and not re.fullmatch(_ID, cursor):
        raise _not_a_cursor()
    return UUID(cursor) if cursor else None


def read_number(cursor: str) -> int | None:
    """The number that a cursor stands for; None for the start. Raises BadInput."""
    if cursor and not re.fullmatch(_NUMBER, cursor):
        raise _not_a_cursor()
    return int(cursor) if cursor else None


def _not_a_cursor() -> BadInput:
    return BadInput("This is not a cursor.", field="cursor", remedy="Send `next` of the page before, or leave it out.")
