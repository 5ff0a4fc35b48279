"""The short way to PostgreSQL for the two statements of an admission.

A statement is compiled once a process, planned once a connection, and then run by its name: one round trip, one row of
text, and a bound on the time, whatever happens to the server or to what lies between. It commits by itself. SQLAlchemy
and psycopg's cursor take longer over such a long statement than PostgreSQL does (docs/benchmarks.md); the connections
are still theirs, and apart from all others, so that no page or report waits for them or is waited for.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import orjson
import psycopg
from psycopg import pq
from psycopg.errors import error_from_result
from sqlalchemy import ClauseElement, Engine, PoolProxiedConnection
from sqlalchemy.dialects.postgresql.asyncpg import dialect as numbered  # writes parameters as libpq takes them: $1
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from governance.db import deadline
from governance.db.failures import unavailable

# Everything is reached by keys. A table that is read whole looks cheaper while it is small, and the plan would be kept.
PLANS = (
    "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off -c enable_bitmapscan=off"
    " -c enable_hashjoin=off -c enable_mergejoin=off -c enable_material=off"
)

_Connection = pq.abc.PGconn
_Result = pq.abc.PGresult


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement as libpq takes it: the place of each parameter by its name, all sent as text."""

    name: str
    text: str
    parameters: tuple[str, ...]
    constants: Mapping[str, str]


def prepare(name: str, statement: ClauseElement) -> Prepared:
    """Compile a statement under a name of its own."""
    compiled: Any = statement.compile(dialect=numbered())  # type: ignore[no-untyped-call]  # as SQLAlchemy has it
    unknown = {name for parameter, name in compiled.bind_names.items() if parameter.required}
    state = compiled.construct_expanded_state(dict.fromkeys(unknown, ""))
    constants = {name: str(value) for name, value in state.parameters.items() if name not in unknown}
    return Prepared(name, state.statement, tuple(state.positiontup), constants)


def as_json(value: object) -> str:
    """Rows as `jsonb_populate_recordset` takes them: keys, times and numbers as PostgreSQL reads them."""
    return orjson.dumps(value).decode()


class Lane:
    """Connections that run prepared statements.

    Args:
        engine: of PostgreSQL, for this lane alone; its pool resets nothing.
        timeout_s: one statement may take this long, the wait for a connection not counted; never beyond `ends`.
    """

    def __init__(self, engine: Engine, timeout_s: float) -> None:
        self._engine = engine
        self._timeout_s = timeout_s

    def one(self, prepared: Prepared, values: Mapping[str, str], ends: float = inf) -> tuple[Any, ...]:
        """Run a statement and give its one row, each value as text or None.

        Args:
            ends: when to give up at the latest, on the monotonic clock.

        Raises:
            DatabaseUnavailable: no answer; nobody knows whether it was carried out.
            psycopg.Error: PostgreSQL refused it, and carried out nothing.
        """
        try:
            with deadline.until(ends):
                connection = self._engine.raw_connection()
        except (psycopg.OperationalError, DBAPIError, PoolTimeoutError) as error:
            raise unavailable(error) from error
        try:
            row = _run(connection, prepared, values, min(ends, time.monotonic() + self._timeout_s))
        except BaseException as error:
            connection.invalidate()  # an answer may still be under way
            if isinstance(error, psycopg.OperationalError):
                raise unavailable(error) from error
            raise
        connection.close()
        return row

    def dispose(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()


def _run(
    connection: PoolProxiedConnection, prepared: Prepared, values: Mapping[str, str], ends: float
) -> tuple[Any, ...]:
    driver: Any = connection.driver_connection
    name = prepared.name.encode()
    known: set[str] = connection.info.setdefault("prepared", set())
    if prepared.name not in known:
        text = prepared.text.encode()
        _exchange(driver.pgconn, lambda to: to.send_prepare(name, text), ends)
        known.add(prepared.name)
    given = {**prepared.constants, **values}
    sent = [given[one].encode() for one in prepared.parameters]
    result = _exchange(driver.pgconn, lambda to: to.send_query_prepared(name, sent), ends)
    found = (result.get_value(0, column) for column in range(result.nfields))
    return tuple(None if one is None else one.decode() for one in found)


def _exchange(connection: _Connection, send: Callable[[_Connection], None], ends: float) -> _Result:
    """Send one message and wait for its answer (libpq, "Asynchronous Command Processing")."""
    send(connection)
    ready = select.poll()
    ready.register(connection.socket, select.POLLIN | select.POLLOUT)
    while connection.flush():
        _wait(ready, ends)
        connection.consume_input()
    ready.modify(connection.socket, select.POLLIN)
    answer: _Result | None = None
    while True:
        while connection.is_busy():
            _wait(ready, ends)
            connection.consume_input()
        result = connection.get_result()
        if result is None:
            break
        answer = answer or result
    if answer is None:
        raise psycopg.OperationalError("PostgreSQL ended without an answer")
    if answer.status not in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}:
        raise error_from_result(answer)
    return answer


def _wait(ready: select.poll, ends: float) -> None:
    left_ms = (ends - time.monotonic()) * 1000
    if left_ms <= 0 or not ready.poll(left_ms):
        raise psycopg.errors.QueryCanceled("PostgreSQL gave no answer in time")
