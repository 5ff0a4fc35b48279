"""Appending to the audit log, in the transaction that the event describes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from governance import clock
from governance.audit.redaction import clean, clean_text
from governance.audit.tables import AuditEvent
from governance.db.types import new_id

_TEXT_LENGTH_MAX = 4000


def event(
    actor: str,
    action: str,
    subject_kind: str,
    subject_id: str,
    reason: str = "",
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    request_id: str = "",
    at: datetime | None = None,
) -> dict[str, Any]:
    """The row of an event by column, secrets redacted, for a caller that inserts it alongside its own rows.

    Args:
        actor: a person's name, a service token's name, or a cluster user.
        action: what was done: `change.approve`, `admission.deny`, `configuration.apply`, ...
        subject_kind: to what kind of thing: `change`, `decision`, `token`, ...
        subject_id: to which one.
        reason: why, in the actor's own words.
        before, after: what was changed, as far as it was.
        at: when; now, if not given.
    """
    return {
        "id": new_id(),
        "at": at or clock.now(),
        "actor": _short(actor),
        "action": _short(action),
        "subject_kind": _short(subject_kind),
        "subject_id": _short(subject_id),
        "reason": _short(reason),
        "before": clean(before),
        "after": clean(after),
        "request_id": _short(request_id),
    }


def record(
    session: Session,
    actor: str,
    action: str,
    subject_kind: str,
    subject_id: str,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    request_id: str = "",
    *,
    at: datetime | None = None,
) -> AuditEvent:
    """Append an event in the caller's transaction: both are committed, or neither. Arguments as in `event`."""
    row = AuditEvent(
        **event(
            actor, action, subject_kind, subject_id, reason, before=before, after=after, request_id=request_id, at=at
        )
    )
    session.add(row)
    return row


def _short(text: str) -> str:
    plain = clean_text(text)
    return plain if len(plain) <= _TEXT_LENGTH_MAX else plain[: _TEXT_LENGTH_MAX - 1] + "…"
