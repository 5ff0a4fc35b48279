"""Until when a unit of work may last, on the monotonic clock: the wait for a connection, and each of its statements.

A pool and a server have one timeout for everybody. An admission has what is left of its own time: it is answered inside
it, with a denial that says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import QueuePool

from governance.errors import DatabaseUnavailable

_ends: ContextVar[float] = ContextVar("ends", default=inf)


@contextmanager
def until(ends: float) -> Iterator[None]:
    """Wait for connections no longer than this."""
    token = _ends.set(ends)
    try:
        yield
    finally:
        _ends.reset(token)


class Pool(QueuePool):
    """A pool in which nobody waits for a connection beyond their own deadline."""

    # What SQLAlchemy asks its queue to wait. It has no public way to ask for less; the tests notice if it goes.
    @property
    def _timeout(self) -> float:
        return max(0.0, min(self._timeout_s, _ends.get() - time.monotonic()))

    @_timeout.setter
    def _timeout(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def recreate(self) -> Pool:
        """The pool that takes the place of this one waits as long, whoever happens to ask for it."""
        with until(inf):
            return cast("Pool", super().recreate())


def bound(connection: Connection, ends: float, statement_timeout_ms: int) -> None:
    """Let PostgreSQL give up each statement of the transaction when `ends` has come.

    Nothing is sent while there is more time left than PostgreSQL gives a statement anyway: a transaction that is not
    late takes no round trip more.
    """
    given_ms = statement_timeout_ms

    def before(_: Connection, cursor: Any, *rest: object) -> None:  # noqa: ANN401, ARG001  (a driver's cursor)
        nonlocal given_ms
        left_ms = int((ends - time.monotonic()) * 1000)
        if left_ms <= 0:
            raise DatabaseUnavailable("The database took longer than there was time.", remedy="Try again.")
        if left_ms < given_ms:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", (str(left_ms),))
            given_ms = left_ms

    event.listen(connection, "before_cursor_execute", before)
