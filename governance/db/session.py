"""Engines and the unit of work: one request is one transaction, committed by the use case before it answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Session

from governance.db import deadline
from governance.db.failures import unavailable, unstorable
from governance.db.lane import PLANS, Lane
from governance.settings import Database

_BUSY_TIMEOUT_MS = 5000
_ANSWER_MS = 500  # PostgreSQL itself gives up a statement in time; this much later nobody waits any longer


def make_engine(database: Database) -> Engine:
    """An engine for PostgreSQL or SQLite. Nothing is connected yet."""
    if database.url.startswith("sqlite"):
        engine = create_engine(
            database.url, connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    lane = Lane(
        _make_postgresql(database, PLANS, pool_reset_on_return=None),
        (database.statement_timeout_ms + _ANSWER_MS) / 1000,
    )
    options = {"lane": lane, "statement_timeout_ms": database.statement_timeout_ms}
    engine = _make_postgresql(database, "-c jit=off", execution_options=options)
    event.listen(engine, "engine_disposed", lambda _: lane.dispose())
    return engine


def lane_of(engine: Engine) -> Lane | None:
    """The short way of an engine for PostgreSQL; None on SQLite, which needs none."""
    lane: Lane | None = engine.get_execution_options().get("lane")
    return lane


def _make_postgresql(database: Database, options: str, **more: Any) -> Engine:  # noqa: ANN401  (what SQLAlchemy takes)
    timeout = database.statement_timeout_ms
    return create_engine(
        database.url,
        poolclass=deadline.Pool,
        pool_size=database.pool_size,
        max_overflow=0,
        pool_timeout=database.connect_timeout_s,
        pool_pre_ping=False,  # a ping would be one more round trip on every admission
        pool_use_lifo=True,  # few connections stay warm, each with its statements prepared
        connect_args={
            "connect_timeout": database.connect_timeout_s,
            "options": f"-c statement_timeout={timeout} -c lock_timeout={timeout} -c timezone=UTC {options}",
            "prepare_threshold": 1,
        },
        **more,
    )


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError("not an SQLite connection")
    connection.isolation_level = None  # the driver's own BEGIN would be deferred, and two writers could deadlock
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_TIMEOUT_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def transaction(engine: Engine, ends: float = inf) -> Iterator[Session]:
    """One unit of work: commits when the block ends, rolls back when it raises.

    Args:
        ends: when to give up on PostgreSQL, on the monotonic clock: the wait for a connection and every statement.

    Raises:
        DatabaseUnavailable: the database could not be reached, or broke off, or was not done in time.
        BadInput: a value that the database can neither hold nor look for.
    """
    try:
        with deadline.until(ends), Session(engine, expire_on_commit=False) as session:
            timeout_ms: int | None = engine.get_execution_options().get("statement_timeout_ms")
            if timeout_ms is not None and ends < inf:
                deadline.bound(session.connection(), ends, timeout_ms)
            yield session
            session.commit()
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise unavailable(error) from error
    except DataError as error:
        raise unstorable() from error


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A unit of work that only reads; on SQLite it takes no write lock.

    On PostgreSQL each statement stands alone, which at READ COMMITTED sees the same: BEGIN and ROLLBACK would be two
    more round trips, and psycopg forgets what is prepared whenever it rolls back, so that each read was planned anew.

    Raises:
        DatabaseUnavailable: the database could not be reached, or broke off.
        BadInput: a value that the database can neither hold nor look for.
    """
    alone = {"isolation_level": "AUTOCOMMIT"} if engine.dialect.name == "postgresql" else {}
    try:
        with (
            engine.connect().execution_options(read_only=True, **alone) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise unavailable(error) from error
    except DataError as error:
        raise unstorable() from error
