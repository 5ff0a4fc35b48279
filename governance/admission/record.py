"""Writing decisions down: an allow beside its reservation, a denial once however often it is repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from governance.admission.facts import Facts
from governance.admission.model import Decision, Request
from governance.admission.tables import DecisionRow
from governance.audit.log import event
from governance.audit.tables import AuditEvent
from governance.db.session import transaction


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
) -> DecisionRow:
    """The row of a decision: what was asked, known and answered, under which policy and configuration."""
    namespace = facts.known.namespace
    return DecisionRow(
        id=decision.id,
        at=facts.at,
        outcome=decision.outcome,
        door=request.door,
        scope=request.scope,
        request_uid=request.uid,
        actor=request.actor,
        person_id=facts.person_id,
        operation=request.operation,
        kind=request.kind,
        namespace=request.namespace,
        name=request.name,
        object_uid=request.object_uid,
        project_id=namespace.project_id if namespace else None,
        digest=digest,
        subject=subject,
        repeat_key=None if decision.allowed else _repeat_key(request, decision, digest),
        last_seen_at=facts.at,
        violations=[{"code": one.code, **one.values} for one in decision.violations],
        warnings=[{"code": one.code, **one.values} for one in decision.warnings],
        approvals=[
            {"rule": one.rule, "group": one.group, "minimum": one.minimum, "deny_minimum": one.deny_minimum}
            for one in decision.approvals
        ],
        askable=decision.askable,
        request=dict(canonical_request),
        facts=dict(asked),
        path=list(namespace.path) if namespace else [],
        policy_digest=policy_digest,
        config_revision=facts.config_revision,
        charge_id=decision.charge_id,
        grant_id=decision.grant_id,
    )


def told_in_audit(written: DecisionRow) -> AuditEvent:
    """The audit event of a decision."""
    return event(
        written.actor,
        f"admission.{written.outcome}",
        "decision",
        str(written.id),
        at=written.at,
        after={
            "kind": written.kind,
            "namespace": written.namespace,
            "name": written.name,
            "scope": written.scope,
            "violations": [one["code"] for one in written.violations],
            "digest": written.digest,
            "policy_digest": written.policy_digest,
            "config_revision": written.config_revision,
            "grant": str(written.grant_id) if written.grant_id else None,
        },
        request_id=written.request_uid,
    )


def denial(engine: Engine, decision: Decision, written: DecisionRow) -> Decision:
    """Write a denial and commit. A repeated one raises the count of the first, and is answered with the first's key,
    so that every repetition leads to the same link.

    Raises:
        DatabaseUnavailable: nothing was written.
    """
    with transaction(engine) as session:
        first = _insert_or_count(session, written)
        if first == written.id:
            session.add(told_in_audit(written))
    return replace(decision, id=first)


def _insert_or_count(session: Session, written: DecisionRow) -> UUID:
    table = DecisionRow.__table__  # type: ignore[attr-defined]  # set by SQLModel on table classes
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = (
        insert(table)
        .values({column.name: getattr(written, column.name) for column in table.columns})
        .on_conflict_do_update(
            index_elements=["repeat_key"],
            set_={"count": table.c.count + 1, "last_seen_at": written.last_seen_at},
        )
        .returning(table.c.id)
    )
    first: UUID = session.connection().execute(statement).scalar_one()
    return first


def _repeat_key(request: Request, decision: Decision, digest: str) -> str:
    """Who asked for what, and what spoke against it; not how full the quota was at that moment."""
    against = sorted(
        [one.code, *(str(one.values[name]) for name in ("node", "resource", "rule", "calendar") if name in one.values)]
        for one in decision.violations
    )
    return hashlib.sha256(orjson.dumps([request.scope, request.actor, digest, against])).hexdigest()
