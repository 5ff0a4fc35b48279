"""Events by a queue: stored first, then taken off it, so that a process that dies in between loses none."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import Engine

from governance.clock import Clock
from governance.errors import BadInput
from governance.strict_json import load
from webhooks.cloud import aws
from webhooks.cloud.event import DEPTH_MAX, from_document, refuse_stale
from webhooks.cloud.inbox import store

_WAIT_S = 5  # of one receive; a worker that is told to stop is late by that much at most

_log = structlog.get_logger(__name__)


def drain(engine: Engine, queue: str, now: Clock, age_max: timedelta) -> int:
    """Store the next messages of an SQS queue and take them off it.

    A message that is no event stays on the queue: after as many tries as its redrive policy says, it is moved to the
    dead-letter queue, where somebody can look at it.

    Returns:
        how many events are new.

    Raises:
        CloudUnavailable: the queue does not answer.
        DatabaseUnavailable: nothing was stored; the messages come again.
    """
    sqs = aws.client("sqs", region_of(queue))
    events, receipts = [], []
    moment = now()
    for message in aws.receive(sqs, queue, _WAIT_S):
        try:
            event = from_document(load(message.body, "message", DEPTH_MAX))
            refuse_stale(event, moment, age_max)
        except BadInput as error:
            _log.warning("a message is no event", queue=queue, reason=str(error))
            continue
        events.append(event)
        receipts.append(message.receipt)
    stored = store(engine, events, way="sqs", now=moment) if events else 0
    aws.delete(sqs, queue, receipts)
    return stored


def region_of(queue: str) -> str | None:
    """The region in a queue's address, `https://sqs.eu-north-1.amazonaws.com/...`; None where it names none."""
    host = queue.split("/")[2] if queue.count("/") > 2 else ""
    parts = host.split(".")
    return parts[1] if parts[0] == "sqs" and len(parts) > 2 else None
