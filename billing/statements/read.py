"""Reading statements: of a closed month from the run that its close pinned, of any other from the run in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from sqlmodel import Session, col, or_, select

from billing.allocate import run_in_force
from billing.allocation import NOTHING
from billing.months import closed_months
from billing.reconcile import reconciliation
from billing.statements.model import Line, Statement, amounts_of
from billing.tables import AllocationRun, PostingRow
from billing.tables import Statement as Issued
from governance.admission.tables import DecisionRow
from governance.identity.tables import Node
from governance.quota.tables import Charge


def run_of(session: Session, period: str) -> tuple[AllocationRun | None, bool]:
    """The run that tells of a month, and whether the month is closed."""
    pinned = closed_months(session).get(period)
    return (session.get(AllocationRun, pinned), True) if pinned else (run_in_force(session, period), False)


def statements_of(session: Session, node: Node, period: str) -> list[Statement]:
    """What a node owes for a month, by currency; empty where nothing was allocated to it.

    What nobody owns stands on the root's statement.
    """
    run, closed = run_of(session, period)
    if run is None:
        return []
    below = {way[0] for way in run.tree.values() if str(node.id) in way}
    owed = col(PostingRow.node_id).in_([UUID(one) for one in below])
    theirs = owed if node.parent_id else or_(owed, col(PostingRow.node_id).is_(None))
    rows = session.exec(select(PostingRow).where(PostingRow.run_id == run.id, theirs)).all()
    names = {way[0]: name for name, way in run.tree.items()}
    state = "closed" if closed else "invoiced" if all(one.ok for one in reconciliation(session, run)) else "provisional"
    lines = _lines(session, rows, names)
    numbers = _numbers(session, node.id, period)
    return [
        Statement(
            node=node.name,
            title=node.title,
            kind=node.kind,
            period=period,
            currency=currency,
            state=state,
            number=numbers.get(currency),
            as_of=run.at,
            digest=run.digest,
            lines=of_it,
        )
        for currency, of_it in lines.items()
    ]


def _numbers(session: Session, node: UUID, period: str) -> dict[str, int]:
    issued = select(Issued.currency, Issued.number).where(Issued.node_id == node, Issued.period == period)
    return dict(session.exec(issued).all())


def _lines(session: Session, rows: Iterable[PostingRow], names: Mapping[str, str]) -> dict[str, list[Line]]:
    """By currency, projects by name and within each the dearest first."""
    found: dict[str, list[Line]] = {}
    charges, asked = _charges(session, {one.charge_id for one in rows if one.charge_id})
    for one in rows:
        charge = charges.get(one.charge_id) if one.charge_id else None
        decision = charge.decision_id if charge else None
        line = Line(
            posting=one.id,
            project=names[str(one.node_id)] if one.node_id else "",
            service=one.service,
            category=one.category,
            rule=one.rule,
            issuer=one.issuer,
            lines=one.lines,
            billed=one.billed,
            exact=one.effective,
            amount=NOTHING,
            of_period=one.of_period,
            charge=charge.native_id if charge else "",
            decision=decision if decision in asked else None,
            asked_by=asked.get(decision, ""),
        )
        found.setdefault(one.currency, []).append(line)
    return {currency: _rounded(sorted(lines, key=_order), currency) for currency, lines in sorted(found.items())}


def _order(line: Line) -> tuple[str, Decimal, str, UUID]:
    return line.project, -line.exact, line.service, line.posting


def _rounded(lines: list[Line], currency: str) -> list[Line]:
    amounts = amounts_of([one.exact for one in lines], currency)
    return [replace(line, amount=amount) for line, amount in zip(lines, amounts, strict=True)]


def _charges(session: Session, ids: set[UUID]) -> tuple[dict[UUID, Charge], dict[UUID | None, str]]:
    charges = {one.id: one for one in session.exec(select(Charge).where(col(Charge.id).in_(ids)))}
    decisions = {one.decision_id for one in charges.values() if one.decision_id}
    asked = session.exec(select(DecisionRow.id, DecisionRow.actor).where(col(DecisionRow.id).in_(decisions)))
    return charges, dict(asked.all())
