"""What the database holds: its migration and clock, the ledger's totals, what waits to be told or sealed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, func, make_url, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import Session, col

from governance.audit.tables import AuditEvent, AuditSegment
from governance.cli.checks.model import Check, broken, ok, tried, warning, wrong
from governance.clock import Clock
from governance.db.failures import unavailable
from governance.db.migrate import at, newest
from governance.db.session import make_engine, reading
from governance.db.together import database_time
from governance.errors import DatabaseUnavailable
from governance.identity.tables import Node
from governance.notify.tables import OutboxMessage
from governance.quota.totals import differences
from governance.settings import Database

_MIGRATE = "Run: governance migrate."
_WORKER = "Run: governance worker, and read its log."
_CLOCK_WARNING = timedelta(seconds=2)
_CLOCK_WRONG = timedelta(seconds=60)  # as far as ID tokens and certificates are given leeway
_LATE = timedelta(minutes=1)
_UNDELIVERED = timedelta(minutes=5)
_GIVEN_UP_LATELY = timedelta(days=7)
_PATIENCE_MS = 60_000  # adding up a large ledger takes its time
_SHOWN_MAX = 3


def open_engine(database: Database) -> tuple[Engine | None, Check]:
    """An engine on the database if it answers; a file of SQLite is not made where there is none."""
    name = "database"
    url = make_url(database.url)
    file = url.database or ""
    if url.get_backend_name() == "sqlite" and file not in {"", ":memory:"} and not Path(file).is_file():
        return None, wrong(name, f"{file} does not exist.", _MIGRATE)
    engine = make_engine(database.model_copy(update={"statement_timeout_ms": _PATIENCE_MS}))
    try:
        with reading(engine) as session:
            found = at(session.connection())
    except DatabaseUnavailable as error:
        engine.dispose()
        return None, wrong(name, error.detail, "Check database.url, and that the server runs and lets us in.")
    if found != newest():
        engine.dispose()
        return None, wrong(name, f"at migration {found or 'none'}, and {newest()} is needed", _MIGRATE)
    return engine, ok(name, f"{engine.dialect.name}, at migration {found}")


def clocks(engine: Engine, host: Clock) -> Check:
    """Rights expire by the database's clock, certificates and tokens by this host's."""
    with reading(engine) as session:
        before = host()
        there = database_time(session)
        apart = max(before - there, there - host(), timedelta())
    found = f"this host and the database are {apart.total_seconds():.1f} s apart"
    if apart > _CLOCK_WRONG:
        return wrong("clock", found, "Let both follow the same time servers (chrony, systemd-timesyncd).")
    if apart > _CLOCK_WARNING:
        return warning("clock", found, "Let both follow the same time servers.")
    return ok("clock", found)


def durability(engine: Engine) -> Iterator[Check]:
    """A database that forgets what it committed would forget charges that were answered for."""
    if engine.dialect.name != "postgresql":
        return
    with reading(engine) as session:
        off = [
            name
            for name in ("fsync", "full_page_writes", "synchronous_commit")
            if session.scalar(select(func.current_setting(name))) == "off"
        ]
    if off:
        found = f"{', '.join(off)}: off; what was answered may be lost when the server falls."
        yield wrong("durability", found, "Turn them on in postgresql.conf, or for this database and user.")


def ledger(engine: Engine) -> Check:
    """Every total of the ledger, derived again from its charges, in one snapshot."""

    def look() -> Check:
        with _snapshot(engine) as session:
            found = differences(session)
            nodes = {str(node): name for node, name in session.execute(select(col(Node.id), col(Node.name)))}
        if not found:
            return ok("ledger", "every total is what its charges add up to")
        shown = "; ".join(
            f"{one.what} {' '.join(nodes.get(word, word) for word in one.of.split())}: {one.stored}, not {one.derived}"
            for one in found[:_SHOWN_MAX]
        )
        more = f"; {len(found) - _SHOWN_MAX} more" if len(found) > _SHOWN_MAX else ""
        remedy = (
            "Something else wrote to the database: find out what. The next apply that changes a quota adds up anew."
        )
        return wrong("ledger", f"{len(found)} totals are not what their charges add up to: {shown}{more}", remedy)

    return tried("ledger", look)


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Session]:
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {"read_only": True}
    try:
        with engine.connect().execution_options(**options) as connection, Session(connection) as session:
            yield session
    except (OperationalError, InterfaceError) as error:
        raise unavailable(error) from error


def outbox(engine: Engine) -> Check:
    """What is to be told leaves within minutes, or the reason is known."""
    undelivered = select(
        func.count(), func.min(col(OutboxMessage.created_at)), func.max(col(OutboxMessage.last_error))
    ).where(col(OutboxMessage.delivered_at).is_(None))
    with reading(engine) as session:
        now = database_time(session)
        late = undelivered.where(
            col(OutboxMessage.next_attempt_at).is_not(None), col(OutboxMessage.created_at) < now - _UNDELIVERED
        )
        untried, since, _ = session.execute(late.where(col(OutboxMessage.attempts) == 0)).one()
        failing, failing_since, why = session.execute(late.where(col(OutboxMessage.attempts) > 0)).one()
        lost = undelivered.where(
            col(OutboxMessage.next_attempt_at).is_(None), col(OutboxMessage.created_at) > now - _GIVEN_UP_LATELY
        )
        given_up, _, why_given_up = session.execute(lost).one()
    if untried:
        return wrong("outbox", f"{untried} messages wait since {_minute(since)}, and nobody tries to deliver.", _WORKER)
    if failing:
        found = f"{failing} messages are tried again and again since {_minute(failing_since)}: {why}"
        return wrong("outbox", found, "Mend mail or outbound webhook; what waits is then delivered.")
    if given_up:
        found = f"{given_up} messages of this week were given up: {why_given_up}"
        return warning("outbox", found, "Correct the addresses.")
    return ok("outbox", "nothing waits")


def sealing(engine: Engine, *, ships: bool) -> Check:
    """Events are sealed within a minute, and heads leave this host."""
    with reading(engine) as session:
        now = database_time(session)
        open_events = select(func.count(), func.min(col(AuditEvent.at))).where(
            col(AuditEvent.segment).is_(None), col(AuditEvent.at) < now - _LATE
        )
        kept_heads = select(func.count(), func.min(col(AuditSegment.sealed_at))).where(
            col(AuditSegment.shipped_at).is_(None), col(AuditSegment.sealed_at) < now - _LATE
        )
        events, since = session.execute(open_events).one()
        heads, kept_since = session.execute(kept_heads).one()
        last = session.scalar(select(func.max(col(AuditSegment.number))))
    if events:
        return wrong("audit log", f"{events} events are not sealed, the oldest of {_minute(since)}.", _WORKER)
    if heads and ships:
        found = f"{heads} heads did not leave this host, the oldest of {_minute(kept_since)}."
        return wrong("audit log", found, "Make audit.ship_to writable; they are shipped when it is back.")
    return ok("audit log", f"sealed up to segment {last}" if last else "nothing to seal yet")


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def in_database(engine: Engine, host: Clock, *, seals: bool, ships: bool) -> Iterator[Check]:
    """All of the above, on a database that answers."""
    try:
        yield clocks(engine, host)
        yield from durability(engine)
        yield ledger(engine)
        yield outbox(engine)
        if seals:
            yield sealing(engine, ships=ships)
    except DatabaseUnavailable as error:
        yield broken("database", error)
