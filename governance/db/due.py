"""Rows that wait to be worked on by any number of processes: each is claimed before, and due again if nobody finishes.

A row is due while its `next_attempt_at` is not in the future; None: nothing is left to be done. A claim moves it into
the future in a transaction of its own, so that no lock is held while a mail server, a cloud or a bill is worked on, and
a process that dies in between leaves it due again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Engine, SQLColumnExpression
from sqlmodel import Session, col, select

from governance.db.session import reading, transaction


class Waiting(Protocol):
    """What a row must have."""

    id: UUID
    attempts: int
    next_attempt_at: datetime | None


W = TypeVar("W", bound=Waiting)


def claim(
    engine: Engine,
    model: type[W],
    now: datetime,
    again_after: Callable[[int], timedelta],
    *,
    first: SQLColumnExpression[Any] | None = None,
) -> W | None:
    """Claim the row that is due and comes first; None: nothing is due.

    Args:
        again_after: how long after that many attempts it is due again, unless somebody says otherwise.
        first: by what the rows are ordered; by when they are due, if not given.

    Returns:
        the row, detached from its session.
    """
    table: Any = model
    due = col(table.next_attempt_at) <= now
    with reading(engine) as session:  # so that a process with nothing to do takes no write lock
        if session.exec(select(table.id).where(due).limit(1)).first() is None:
            return None
    with transaction(engine) as session:
        order = col(table.next_attempt_at) if first is None else first
        query = select(table).where(due).order_by(order, col(table.id)).limit(1)
        row: W | None = session.exec(query.with_for_update(skip_locked=True)).first()
        if row is not None:
            row.attempts += 1
            row.next_attempt_at = now + again_after(row.attempts)
            _detach(session, row)
        return row


def doubling(first: timedelta, most: timedelta) -> Callable[[int], timedelta]:
    """Twice as long after each attempt."""
    return lambda attempts: min(most, first * (1 << min(attempts - 1, 20)))


def _detach(session: Session, row: object) -> None:
    session.add(row)
    session.flush()
    session.expunge(row)
