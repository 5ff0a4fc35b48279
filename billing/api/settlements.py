"""How charges were settled."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlmodel import Session, col, select

from billing.api.asked import Month, NodeName, Reader, tell_read, text, visible_node
from governance.admission.tables import DecisionRow
from governance.db.session import reading
from governance.quota.settlements import Settled, settled_at
from governance.units import Period

router = APIRouter(tags=["billing"])


class SettledShown(BaseModel):
    """A charge of a month: what it was foretold to cost, what it cost, and by whose decision it came to be.

    `actual` is what is charged back (EffectiveCost), `billed` what ties to the invoice (BilledCost); amounts are
    decimal numbers as text. `decision` and `asked_by` are null where nobody decided: it was there before this service.
    """

    charge: UUID
    kind: str
    name: str
    resource: str
    machine: str
    currency: str
    estimate: str
    billed: str
    actual: str
    difference: str
    lines: int
    billed_through: datetime | None
    state: str
    decision: UUID | None
    asked_by: str | None


@router.get("/billing/settlements")
def settlements(request: Request, node: NodeName, month: Month, principal: Reader) -> list[SettledShown]:
    """How the charges of a department or project were settled in a month, the dearest first. It is audited."""
    state = request.app.state
    period = str(Period.parse(month))
    with reading(state.engine) as session:
        wanted = visible_node(session, principal, node)
        rows = settled_at(session, wanted.id, period)
        decided = _decisions(session, [one.charge.decision_id for one in rows if one.charge.decision_id])
    tell_read(request, principal, "settlements", f"{wanted.name}/{period}")
    return [_shown(one, decided.get(one.charge.decision_id)) for one in rows]


def _decisions(session: Session, ids: list[UUID]) -> dict[UUID | None, str]:
    return dict(session.exec(select(DecisionRow.id, DecisionRow.actor).where(col(DecisionRow.id).in_(ids))).all())


def _shown(one: Settled, asked_by: str | None) -> SettledShown:
    return SettledShown(
        charge=one.charge.id,
        kind=one.charge.kind,
        name=one.charge.native_id,
        resource=one.resource,
        machine=one.machine,
        currency=one.currency,
        estimate=text(one.estimate),
        billed=text(one.billed),
        actual=text(one.actual),
        difference=text(one.difference),
        lines=one.lines,
        billed_through=one.billed_through,
        state=one.state,
        decision=one.charge.decision_id if asked_by is not None else None,
        asked_by=asked_by,
    )
