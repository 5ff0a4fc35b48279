"""Writing decisions down: an allow beside its reservation, a denial once however often it is repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Engine, text
from sqlalchemy.dialects import sqlite
from sqlmodel import Session

from governance.admission.facts import Facts
from governance.admission.model import Decision, Request
from governance.admission.tables import DecisionRow
from governance.audit.log import event
from governance.audit.tables import AuditEvent
from governance.db.base import NewRow
from governance.db.lane import Prepared, as_json, prepare
from governance.db.session import lane_of, transaction

_TELLING = ("node", "resource", "rule", "calendar", "image", "type")  # values that tell two violations apart

_DENIAL = """
WITH written AS (
  INSERT INTO decision SELECT r.* FROM jsonb_populate_recordset(NULL::decision, CAST(:decision AS jsonb)) r
  ON CONFLICT (repeat_key) DO UPDATE SET count = decision.count + 1, last_seen_at = excluded.last_seen_at
  RETURNING id
), told AS (
  INSERT INTO audit_event SELECT e.*
  FROM jsonb_populate_recordset(NULL::audit_event, CAST(:event AS jsonb)) e
  JOIN written ON e.subject_id = CAST(written.id AS text)
)
SELECT id FROM written"""


def row(
    request: Request,
    facts: Facts,
    decision: Decision,
    *,
    asked: Mapping[str, Any],
    canonical_request: Mapping[str, Any],
    digest: str,
    subject: str,
    policy_digest: str,
) -> NewRow:
    """The row of a decision: what was asked, known and answered, under which policy and configuration."""
    namespace = facts.known.binding
    return NewRow(
        DecisionRow,
        {
            "id": decision.id,
            "at": facts.at,
            "outcome": decision.outcome,
            "door": request.door,
            "scope": request.scope,
            "request_uid": request.uid,
            "actor": request.actor,
            "person_id": facts.person_id,
            "operation": request.operation,
            "kind": request.kind,
            "namespace": request.namespace,
            "name": request.name,
            "object_uid": request.object_uid,
            "project_id": namespace.project_id if namespace else None,
            "digest": digest,
            "subject": subject,
            "repeat_key": None if decision.allowed else _repeat_key(request, decision, digest),
            "count": 1,
            "last_seen_at": facts.at,
            "violations": [{"code": one.code, **one.values} for one in decision.violations],
            "warnings": [{"code": one.code, **one.values} for one in decision.warnings],
            "approvals": [
                {"rule": one.rule, "group": one.group, "minimum": one.minimum, "deny_minimum": one.deny_minimum}
                for one in decision.approvals
            ],
            "askable": decision.askable,
            "request": dict(canonical_request),
            "changes_before": dict(request.changes_before),
            "facts": dict(asked),
            "path": list(namespace.path) if namespace else [],
            "policy_digest": policy_digest,
            "config_revision": facts.config_revision,
            "charge_id": decision.charge_id,
            "grant_id": decision.grant_id,
        },
    )


def told_in_audit(written: NewRow) -> NewRow:
    """The audit event of a decision."""
    of = written.values
    after = {
        **{name: of[name] for name in ("kind", "namespace", "name", "scope", "digest", "policy_digest")},
        "violations": [one["code"] for one in of["violations"]],
        "config_revision": of["config_revision"],
        "grant": str(of["grant_id"]) if of["grant_id"] else None,
    }
    action = f"admission.{of['outcome']}"
    told = event(of["actor"], action, "decision", str(of["id"]), at=of["at"], after=after, request_id=of["request_uid"])
    return NewRow(AuditEvent, told)


def denial(engine: Engine, decision: Decision, written: NewRow, ends: float) -> Decision:
    """Write a denial and commit. A repeated one raises the count of the first, and is answered with the first's key,
    so that every repetition leads to the same link.

    Args:
        ends: when to give up, on the monotonic clock.

    Raises:
        DatabaseUnavailable: nothing was written, or nobody knows.
    """
    told = told_in_audit(written)
    lane = lane_of(engine)
    if lane is not None:
        rows = {"decision": as_json([written.values]), "event": as_json([told.values])}
        (first,) = lane.one(_denial(), rows, ends)
        return replace(decision, id=UUID(first))
    with transaction(engine) as session:
        first = _insert_or_count(session, written)
        if first == decision.id:
            session.add(AuditEvent(**told.values))
    return replace(decision, id=first)


@cache
def _denial() -> Prepared:
    return prepare("denial", text(_DENIAL))


def _insert_or_count(session: Session, written: NewRow) -> UUID:
    table = DecisionRow.__table__  # type: ignore[attr-defined]  # set by SQLModel on table classes
    statement = (
        sqlite.insert(table)
        .values(dict(written.values))
        .on_conflict_do_update(
            index_elements=["repeat_key"],
            set_={"count": table.c.count + 1, "last_seen_at": written.values["last_seen_at"]},
        )
        .returning(table.c.id)
    )
    first: UUID = session.connection().execute(statement).scalar_one()
    return first


def _repeat_key(request: Request, decision: Decision, digest: str) -> str:
    """Who asked for what, and what spoke against it; not how full the quota was at that moment."""
    against = sorted(
        [one.code, *(str(one.values[name]) for name in _TELLING if name in one.values)] for one in decision.violations
    )
    return hashlib.sha256(orjson.dumps([request.scope, request.actor, digest, against])).hexdigest()
