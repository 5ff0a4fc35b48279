"""The close of a month: prepared by one person, closed by another. What was looked at is what is closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from billing.allocate import postings_of, run_in_force
from billing.allocation import Posting, sum_of
from billing.inputs import files_of
from billing.invoices import Clerk
from billing.months import closed_months
from billing.reconcile import Reconciled, reconciliation
from billing.statements.model import amounts_of
from billing.tables import AllocationRun, CostHead, Month, Statement
from governance.audit.log import record
from governance.db.counter import draw
from governance.errors import Conflict, Forbidden, NotFound
from governance.identity.tables import Node
from governance.units import Period

COUNTER = "statement"


class UnexplainedGap(Conflict):
    title = "An invoice does not tie to its lines"

    def __init__(self, period: str, gaps: list[Reconciled]) -> None:
        one = gaps[0]
        where = f"{one.issuer} {one.invoice}".strip()
        more = f", and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        what = "has no invoice" if one.invoiced is None else f"differs by {one.difference:f} {one.currency}"
        super().__init__(
            f"{where} {what}{more}.",
            remedy="Record the invoice, import the lines anew, or explain the gap: "
            f"governance billing reconciliation {period}.",
        )


@dataclass(frozen=True, slots=True)
class Closed:
    """What a close pinned: the digest of the allocation, and how many statements it issued."""

    period: str
    digest: str
    statements: int


def prepare(session: Session, period: Period, clerk: Clerk, now: datetime) -> Month:
    """Put a month before whoever closes it, in the caller's transaction. To prepare again replaces what was prepared.

    Raises:
        Conflict: it is closed, has not ended, an earlier one is open, or lines came since it was allocated.
        UnexplainedGap: an invoice does not tie to its lines.
        NotFound: it was never allocated.
    """
    run = _ready(session, period, now)
    month = session.get(Month, str(period), with_for_update=True) or Month(
        period=str(period), run_id=run.id, digest=run.digest, prepared_at=now, prepared_by=clerk.id
    )
    month.run_id, month.digest, month.prepared_at, month.prepared_by = run.id, run.digest, now, clerk.id
    session.add(month)
    session.flush()
    _audit(session, "billing.prepare", str(period), {"digest": run.digest}, clerk, now)
    return month


def close(session: Session, period: Period, clerk: Clerk, now: datetime) -> Closed:
    """Close a month that somebody else prepared, in the caller's transaction: its allocation is pinned, and every
    department has its numbered statement.

    Raises:
        Forbidden: who prepared it may not close it.
        Conflict: it was not prepared, or is another one since.
        UnexplainedGap: an invoice does not tie to its lines.
    """
    month = session.get(Month, str(period), with_for_update=True)
    if month is None:
        raise Conflict(f"{period} was not prepared.", remedy=f"See: governance billing prepare {period}.")
    run = _ready(session, period, now)
    if month.prepared_by == clerk.id:
        raise Forbidden(f"{clerk.name} prepared {period}; somebody else must close it.")
    if run.digest != month.digest or run.id != month.run_id:
        detail = f"{period} was allocated anew since it was prepared."
        raise Conflict(detail, remedy="Look at it, and prepare it again.")
    month.closed_at, month.closed_by = now, clerk.id
    session.add(month)
    session.flush()
    issued = _issue(session, run, now)
    _audit(session, "billing.close", str(period), {"digest": run.digest, "statements": issued}, clerk, now)
    return Closed(str(period), run.digest, issued)


def _ready(session: Session, period: Period, now: datetime) -> AllocationRun:
    """The run that can be closed. Raises what `prepare` says."""
    closed = closed_months(session)
    if str(period) in closed:
        raise Conflict(f"{period} is closed.", remedy="What comes late is corrected in the open month.")
    if now < period.end:
        raise Conflict(f"{period} has not ended.", remedy=f"It ends on {period.end:%Y-%m-%d} in UTC.")
    open_ = select(CostHead.period).where(col(CostHead.period).not_in(closed)).order_by(CostHead.period)
    earlier = session.exec(open_.limit(1)).first()
    if earlier is not None and earlier < str(period):
        raise Conflict(f"{earlier} is still open.", remedy="Close months in their order.")
    run = run_in_force(session, str(period))
    if run is None:
        raise NotFound(f"{period} was never allocated.", remedy=f"See: governance billing allocate {period}.")
    if run.files != files_of(session, period):
        raise Conflict(
            f"Lines of {period} came since it was allocated.",
            remedy=f"Wait for the import to end, or: governance billing allocate {period}.",
        )
    gaps = [one for one in reconciliation(session, run) if not one.ok]
    if gaps:
        raise UnexplainedGap(str(period), gaps)
    return run


def _issue(session: Session, run: AllocationRun, now: datetime) -> int:
    """A statement for each department and currency; what nobody owns is the root's. Returns how many there are."""
    postings = postings_of(session, run.id)
    above = {way[0]: set(way) for way in run.tree.values()}
    departments = session.exec(select(Node).where(Node.kind == "department").order_by(col(Node.depth), col(Node.name)))
    owed = [(node.id, *one) for node in departments for one in _owed(node, postings, above).items()]
    numbers = draw(session, COUNTER, len(owed))
    session.add_all(
        Statement(
            number=number,
            period=run.period,
            node_id=node,
            currency=currency,
            run_id=run.id,
            total=total,
            issued_at=now,
        )
        for number, (node, currency, total) in zip(numbers, owed, strict=True)
    )
    session.flush()
    return len(owed)


def _owed(node: Node, postings: list[Posting], above: dict[str, set[str]]) -> dict[str, Decimal]:
    """What a department owes, by currency."""
    found: dict[str, list[Decimal]] = {}
    for one in postings:
        is_theirs = str(node.id) in above[one.node] if one.node else node.parent_id is None
        if is_theirs:
            found.setdefault(one.currency, []).append(one.effective)
    return {currency: sum_of(amounts_of(exact, currency)) for currency, exact in sorted(found.items())}


def _audit(session: Session, action: str, period: str, told: dict[str, object], clerk: Clerk, now: datetime) -> None:
    record(session, clerk.name, action, "month", period, after=told, request_id=clerk.request_id, at=now)
