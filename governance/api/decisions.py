"""Decisions, and what explains each: facts, policy version, configuration revision, violations, who approved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from sqlalchemy import or_
from sqlmodel import Session, col, select

from governance.admission.asking import decision_of, violation_sentences, where
from governance.admission.tables import DecisionRow
from governance.admission.visible import may_see, visible
from governance.api.pages import IdCursor, Limit, Page, page_of, read_id
from governance.api.visible import nodes_under
from governance.audit.tables import AuditEvent
from governance.change.model import show_number
from governance.change.tables import ChangeRequest, Grant, Review
from governance.db.session import reading
from governance.errors import NotFound
from governance.http.permissions import requires
from governance.identity.model import Permission, Principal
from governance.identity.tables import Person

router = APIRouter(tags=["decisions"])

Reader = Annotated[Principal, Depends(requires(Permission.DECISION_READ))]


class DecisionShown(BaseModel):
    """A decision in a list. `count`: how often the same was denied; `sentences` say what spoke against it."""

    id: UUID
    at: datetime
    last_seen_at: datetime
    count: int
    outcome: str
    door: str
    scope: str
    actor: str
    operation: str
    kind: str
    namespace: str
    name: str
    project: str
    sentences: list[str]


class Approval(BaseModel):
    """What a person said on the change that let a request pass."""

    change: str
    person: str
    verdict: str
    note: str
    at: datetime


class AuditTrail(BaseModel):
    """An audit event about this decision, or about a change that answers it."""

    at: datetime
    actor: str
    action: str
    subject: str
    reason: str


class DecisionExplained(DecisionShown):
    """Everything that the decision was made from."""

    violations: list[dict[str, Any]]
    warnings: list[dict[str, Any]]
    approvals_needed: list[dict[str, Any]]
    askable: bool
    link: str
    digest: str
    request: dict[str, Any]
    changes_before: dict[str, Any]  # what stood at the paths of `request.changes`
    facts: dict[str, Any]
    policy_digest: str
    config_revision: int
    charge_id: UUID | None
    grant_id: UUID | None
    changes: list[str]
    approved_by: list[Approval]
    audit: list[AuditTrail]


@router.get("/decisions")
def list_decisions(
    request: Request,
    principal: Reader,
    outcome: Annotated[Literal["allow", "deny"] | None, Query()] = None,
    actor: Annotated[str | None, Query(max_length=253)] = None,
    namespace: Annotated[str | None, Query(max_length=253)] = None,
    cursor: IdCursor = "",
    limit: Limit = 50,
) -> Page[DecisionShown]:
    """Decisions that the caller may see, the newest first."""
    query = select(DecisionRow)
    for column, wanted in ((DecisionRow.outcome, outcome), (DecisionRow.actor, actor)):
        if wanted is not None:
            query = query.where(column == wanted)
    if namespace is not None:
        query = query.where(DecisionRow.namespace == namespace)
    before = read_id(cursor)
    if before is not None:
        query = query.where(col(DecisionRow.id) < before)
    with reading(request.app.state.engine) as session:
        query = query.where(visible(principal, nodes_under(session, principal, Permission.DECISION_READ)))
        rows = session.exec(query.order_by(col(DecisionRow.id).desc()).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: str(row.id), lambda row: DecisionShown(**_shown(row)))


@router.get("/decisions/{decision_id}")
def explain(request: Request, decision_id: UUID, principal: Reader) -> DecisionExplained:
    """One decision with everything that it was made from."""
    with reading(request.app.state.engine) as session:
        row = decision_of(session, decision_id)
        _require_visible(session, principal, row)
        changes = _changes_around(session, row)
        return DecisionExplained(
            **_shown(row),
            violations=row.violations,
            warnings=row.warnings,
            approvals_needed=row.approvals,
            askable=row.askable,
            link=f"{request.app.state.settings.web.public_url.rstrip('/')}/decisions/{row.id}",
            digest=row.digest,
            request=row.request,
            changes_before=row.changes_before,
            facts=row.facts,
            policy_digest=row.policy_digest,
            config_revision=row.config_revision,
            charge_id=row.charge_id,
            grant_id=row.grant_id,
            changes=[show_number(one.number) for one in changes],
            approved_by=_approved_by(session, row.grant_id),
            audit=_audit(session, row, changes),
        )


def _require_visible(session: Session, principal: Principal, row: DecisionRow) -> None:
    """A decision that the caller may not see is answered as one that is not there."""
    if not may_see(row, principal, nodes_under(session, principal, Permission.DECISION_READ)):
        raise NotFound("There is no such decision.", field="decision")


def _shown(row: DecisionRow) -> dict[str, Any]:
    own = (
        "id",
        "at",
        "last_seen_at",
        "count",
        "outcome",
        "door",
        "scope",
        "actor",
        "operation",
        "kind",
        "namespace",
        "name",
    )
    return {
        **{name: getattr(row, name) for name in own},
        "project": where(row) if row.project_id else "",
        "sentences": violation_sentences(row.violations),
    }


def _changes_around(session: Session, row: DecisionRow) -> Sequence[ChangeRequest]:
    """The changes that answer this denial, or that gave the grant that let the request pass."""
    by_grant = select(Grant.change_id).where(Grant.id == row.grant_id)
    query = select(ChangeRequest).where(
        or_(col(ChangeRequest.decision_id) == row.id, col(ChangeRequest.id).in_(by_grant))
    )
    return session.exec(query.order_by(col(ChangeRequest.number))).all()


def _approved_by(session: Session, grant_id: UUID | None) -> list[Approval]:
    query = (
        select(ChangeRequest.number, Person.display_name, Review)
        .join(Review, col(Review.change_id) == col(ChangeRequest.id))
        .join(Person, col(Person.id) == col(Review.person_id))
        .join(Grant, col(Grant.change_id) == col(ChangeRequest.id))
        .where(Grant.id == grant_id, Review.verdict == "approve")
        .order_by(col(Review.id))
    )
    return [
        Approval(change=show_number(number), person=person, verdict=said.verdict, note=said.note, at=said.at)
        for number, person, said in session.exec(query)
    ]


def _audit(session: Session, row: DecisionRow, changes: Sequence[ChangeRequest]) -> list[AuditTrail]:
    subjects = [str(row.id), *(show_number(one.number) for one in changes)]
    query = select(AuditEvent).where(col(AuditEvent.subject_id).in_(subjects)).order_by(col(AuditEvent.id))
    return [
        AuditTrail(
            at=one.at,
            actor=one.actor,
            action=one.action,
            subject=f"{one.subject_kind} {one.subject_id}",
            reason=one.reason,
        )
        for one in session.exec(query)
    ]
