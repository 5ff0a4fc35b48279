"""Telling people and programs about a change: outbox messages in the transaction that they tell of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from governance.change.model import show_number
from governance.change.tables import ChangeRequest
from governance.identity.tables import Person
from governance.notify.outbox import enqueue

OUTBOUND = "outbound"
"""The receiver of webhooks: the one that the installation's settings name."""


def tell(
    session: Session,
    change: ChangeRequest,
    topic: str,
    people: Iterable[Person],
    now: datetime,
    more: Mapping[str, Any] | None = None,
) -> None:
    """One mail to each person (in order, each once), and one signed webhook."""
    name = show_number(change.number)
    payload = {**payload_of(session, change), **(more or {})}
    for person in {person.id: person for person in people}.values():
        addressed = {**payload, "to": person.display_name, "time_zone": person.time_zone}
        enqueue(session, "email", person.email, topic, name, addressed, now=now)
    enqueue(session, "webhook", OUTBOUND, topic, name, payload, now=now)


def payload_of(session: Session, change: ChangeRequest) -> dict[str, Any]:
    """What messages about a change carry: plain JSON, times in UTC."""
    requester = session.get_one(Person, change.requester_id)
    return {
        "change": show_number(change.number),
        "path": f"/changes/{show_number(change.number)}",
        "kind": change.kind,
        "state": change.state,
        "asked_by": requester.display_name,
        "what": change.asks["what"],
        "reason": change.reason,
        "reference": change.reference,
        "quota": change.asks["quota"],
        "needs": change.rules,
        "decide_by": change.decide_by.isoformat(),
        "valid_from": change.valid_from.isoformat(),
        "valid_until": change.valid_until.isoformat(),
    }
