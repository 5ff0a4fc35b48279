"""The outbox: messages are written in the transaction that they tell of, and delivered afterwards, at least once.

A message is claimed before it is sent (`db.due`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, update
from sqlmodel import Session, col

from governance import clock
from governance.clock import Clock
from governance.db.due import claim, doubling
from governance.db.session import transaction
from governance.notify.tables import OutboxMessage

ATTEMPTS_MAX = 12
"""About a day and a half with the backoff below; then the message is given up, with the last error kept."""

backoff = doubling(timedelta(seconds=30), timedelta(hours=6))
"""How long after that many attempts the next one is made. The first is above every channel's timeout: it is also the
time for which a claim holds."""

_ERROR_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as a channel gets it."""

    id: UUID
    created_at: datetime
    receiver: str
    topic: str
    subject_id: str
    payload: Mapping[str, Any]
    attempt: int  # the first is 1


class DeliveryFailed(Exception):
    """The message could not be delivered; the text says why, without secrets.

    `for_good`: trying again cannot help.
    """

    def __init__(self, why: str, *, for_good: bool = False) -> None:
        super().__init__(why)
        self.for_good = for_good


Channel = Callable[[Outgoing], None]
"""Delivers one message, or raises DeliveryFailed. May deliver the same message twice: receivers know it by its id."""


def enqueue(
    session: Session,
    channel: str,
    receiver: str,
    topic: str,
    subject_id: str,
    payload: Mapping[str, Any],
    *,
    now: datetime | None = None,
) -> OutboxMessage:
    """Put a message into the outbox, in the caller's transaction.

    Args:
        channel: `email` or `webhook`.
        receiver: an e-mail address; for a webhook, the name of the configured receiver.
        topic: what happened: `change.submitted`, `change.approved`, ... (`notify.texts` says each in words).
        subject_id: of what: `CH-1042`.
        payload: plain JSON with what the texts need.
    """
    at = now or clock.now()
    message = OutboxMessage(
        created_at=at,
        channel=channel,
        receiver=receiver,
        topic=topic,
        subject_id=subject_id,
        payload=dict(payload),
        next_attempt_at=at,
    )
    session.add(message)
    return message


def deliver_due(engine: Engine, channels: Mapping[str, Channel], now: Clock, limit: int = 100) -> int:
    """Deliver what is due, oldest first, at most `limit` messages. Any number of processes may do so at once.

    A message whose channel is not configured is given up at once, and says so in `last_error`.

    Returns:
        how many were delivered.
    """
    delivered = 0
    for _ in range(limit):
        message = _claim(engine, now())
        if message is None:
            break
        failure = _try(channels, message)
        _settle(engine, message[1], failure, now())
        delivered += failure is None
    return delivered


def _claim(engine: Engine, now: datetime) -> tuple[str, Outgoing] | None:
    row = claim(engine, OutboxMessage, now, backoff)
    if row is None:
        return None
    return row.channel, Outgoing(
        row.id, row.created_at, row.receiver, row.topic, row.subject_id, row.payload, row.attempts
    )


def _try(channels: Mapping[str, Channel], claimed: tuple[str, Outgoing]) -> DeliveryFailed | None:
    name, message = claimed
    channel = channels.get(name)
    if channel is None:
        return DeliveryFailed(f"{name} is not configured", for_good=True)
    try:
        channel(message)
    except DeliveryFailed as failure:
        return failure
    except Exception as error:  # noqa: BLE001  (one message that cannot be made must not stop the others)
        return DeliveryFailed(f"{type(error).__name__} while the message was made")
    return None


def _settle(engine: Engine, message: Outgoing, failure: DeliveryFailed | None, now: datetime) -> None:
    mine = update(OutboxMessage).where(col(OutboxMessage.id) == message.id)
    with transaction(engine) as session:
        if failure is None:
            session.exec(mine.values(delivered_at=now, next_attempt_at=None, last_error=""))
            return
        values: dict[str, Any] = {"last_error": str(failure)[:_ERROR_LENGTH_MAX]}
        if failure.for_good or message.attempt >= ATTEMPTS_MAX:
            values["next_attempt_at"] = None
        session.exec(mine.where(col(OutboxMessage.delivered_at).is_(None)).values(**values))
