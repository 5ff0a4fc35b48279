"""The inbox of events: stored once, answered, then handled at our pace, at least once, in any number of processes.

An event is claimed before it is handled (`db.due`), and handling is idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import cast

import structlog
from sqlalchemy import Engine, update
from sqlmodel import Session, col

from governance.clock import Clock
from governance.db.due import claim, doubling
from governance.db.insert import insert_into
from governance.db.session import transaction
from governance.db.types import new_id
from governance.errors import BadInput, DatabaseUnavailable
from webhooks.cloud.event import Event, Provider
from webhooks.cloud.tables import InboxEvent

_AGAIN_AFTER = doubling(timedelta(seconds=30), timedelta(hours=1))
_OUTCOME_CHARACTERS_MAX = 500

_log = structlog.get_logger(__name__)


class NotYet(Exception):
    """What the event needs is not there yet; the text says what. It is tried again later."""


Handle = Callable[[Event], str]
"""Makes of an event what it means, idempotently; answers a sentence. Raises NotYet."""


def store(engine: Engine, events: Sequence[Event], *, way: str, now: datetime) -> int:
    """Store events, all of them or none, and commit. One that is there already, by its source and id or by the
    provider's own id of the operation, changes nothing.

    Args:
        way: by which they came, http or sqs.

    Returns:
        how many are new.

    Raises:
        DatabaseUnavailable: nothing was stored, or nobody knows; storing them again changes nothing.
    """
    rows = [
        {
            "id": new_id(),
            "source": one.source,
            "event_id": one.id,
            "operation": one.operation or None,
            "type": one.type,
            "provider": one.provider,
            "scope": one.scope,
            "region": one.region,
            "at": one.at,
            "received_at": now,
            "way": way,
            "data": dict(one.data),
            "attempts": 0,
            "next_attempt_at": now,
            "outcome": "",
        }
        for one in events
    ]
    with transaction(engine) as session:
        statement = insert_into(session, InboxEvent).on_conflict_do_nothing().returning(col(InboxEvent.id))
        return sum(len(session.execute(statement.values(row)).all()) for row in rows)


def handle_due(engine: Engine, handle: Handle, now: Clock, wait_max: timedelta, limit: int = 100) -> int:
    """Handle what is due, oldest first, at most `limit` events.

    One that waits longer than `wait_max` for what it needs is given up; one that cannot be understood, at once. Both
    are kept, with the reason.

    Returns:
        how many were handled for good.
    """
    done = 0
    for _ in range(limit):
        row = claim(engine, InboxEvent, now(), _AGAIN_AFTER, first=col(InboxEvent.at))
        if row is None:
            break
        done += _handle(engine, row, handle, now, wait_max)
    return done


def _handle(engine: Engine, row: InboxEvent, handle: Handle, now: Clock, wait_max: timedelta) -> bool:
    try:
        outcome, over = handle(_event(row)), True
    except NotYet as reason:
        outcome, over = str(reason), now() - row.received_at > wait_max
    except BadInput as error:
        outcome, over = f"not understood: {error}", True
        _log.warning("an event was not understood", source=row.source, event_id=row.event_id, reason=str(error))
    except DatabaseUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  (one event that we fail on must not stop the others)
        outcome, over = f"failed: {type(error).__name__}", now() - row.received_at > wait_max
        _log.exception("an event could not be handled", source=row.source, event_id=row.event_id)
    with transaction(engine) as session:
        _note(session, row, outcome, now() if over else None)
    return over


def _note(session: Session, row: InboxEvent, outcome: str, handled_at: datetime | None) -> None:
    mine = update(InboxEvent).where(col(InboxEvent.id) == row.id)
    over = {"handled_at": handled_at, "next_attempt_at": None} if handled_at else {}
    session.execute(mine.values(outcome=outcome[:_OUTCOME_CHARACTERS_MAX], **over))


def _event(row: InboxEvent) -> Event:
    return Event(
        source=row.source,
        id=row.event_id,
        type=row.type,
        at=row.at,
        provider=cast("Provider", row.provider),
        scope=row.scope,
        region=row.region,
        operation=row.operation or "",
        data=row.data,
    )
