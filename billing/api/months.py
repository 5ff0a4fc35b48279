"""Months: invoices, reconciliation, and the close."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, select

from billing import close as closing
from billing.api.asked import AMOUNT, MONTH, Closer, MonthPath, Reader, clerk_of, tell_read, text
from billing.invoices import explain_gap, record_invoice
from billing.reconcile import Bridge, Reconciled, bridges_of, reconciliation
from billing.statements.read import run_of
from billing.tables import AllocationRun, CostHead, GapReason, Invoice, Month
from governance.api.visible import require_everywhere
from governance.db.session import reading, transaction
from governance.errors import NotFound
from governance.identity.model import Permission
from governance.identity.tables import Person
from governance.units import Period

router = APIRouter(tags=["billing"])

Amount = Annotated[str, Field(pattern=AMOUNT, description="A decimal number as text: 1180.50.")]
Words = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]+$")]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class InvoiceSent(_Body):
    """An invoice as the issuer sent it. `issuer` as the lines name it (InvoiceIssuerName), `number` as they do
    (InvoiceId) where they do; `amount` without tax."""

    issuer: Words
    number: Words
    month: Annotated[str, Field(pattern=MONTH)]
    currency: Currency
    amount: Amount
    tax: Amount = "0"


class ReasonSent(_Body):
    """Why an invoice and its lines differ: so much of the gap is explained by it. `invoice` as the gap names it."""

    issuer: Words
    invoice: Annotated[str, Field(max_length=500)] = ""
    currency: Currency
    amount: Amount
    reason: Words


class Recorded(BaseModel):
    """What was recorded."""

    id: UUID


class ReconciledShown(BaseModel):
    """An invoice beside its lines; amounts are decimal numbers as text. `invoice` is empty where lines name none: then
    all of the issuer's invoices stand beside them. `invoiced` is null where there is no invoice. `ok`: nothing is left
    that nobody explained."""

    issuer: str
    invoice: str
    currency: str
    invoiced: str | None
    imported: str
    difference: str
    tolerance: str
    explained: str
    tax_invoiced: str
    tax_imported: str
    lines: int
    ok: bool


class Step(BaseModel):
    """By how much charges of a category, and of a commitment's status, differ between billed and charged back."""

    category: str
    commitment: str
    difference: str


class BridgeShown(BaseModel):
    """From what was billed to what is charged back, by issuer. `allocated` is what projects were charged of it."""

    issuer: str
    currency: str
    billed: str
    steps: list[Step]
    effective: str
    allocated: str


class Reconciliation(BaseModel):
    """How a month's invoices and lines stand."""

    month: str
    as_of: datetime
    digest: str
    invoices: list[ReconciledShown]
    bridges: list[BridgeShown]


class MonthShown(BaseModel):
    """A month. `state`: open, prepared or closed. `digest`: of the allocation that was prepared or closed."""

    month: str
    state: str
    digest: str = ""
    prepared_by: str = ""
    prepared_at: datetime | None = None
    closed_by: str = ""
    closed_at: datetime | None = None


class ClosedShown(BaseModel):
    """What a close pinned."""

    month: str
    digest: str
    statements: int


@router.post("/billing/invoices", status_code=201)
def invoice(request: Request, sent: InvoiceSent, principal: Closer) -> Recorded:
    """Record an invoice. One with the same issuer and number is replaced by it."""
    require_everywhere(principal, Permission.BILLING_CLOSE)
    state = request.app.state
    made = Invoice(
        issuer=sent.issuer,
        number=sent.number,
        period=str(Period.parse(sent.month)),
        currency=sent.currency,
        amount=Decimal(sent.amount),
        tax=Decimal(sent.tax),
        recorded_at=state.clock(),
        recorded_by=principal.person_id,
    )
    with transaction(state.engine) as session:
        return Recorded(id=record_invoice(session, made, clerk_of(request, principal)).id)


@router.get("/billing/months/{month}/reconciliation")
def reconciled(request: Request, month: MonthPath, principal: Reader) -> Reconciliation:
    """The invoices of a month beside its lines, and the bridge from billed to charged back. It is audited."""
    require_everywhere(principal, Permission.BILLING_READ)
    with reading(request.app.state.engine) as session:
        run = _run(session, month)
        found = reconciliation(session, run)
        bridges = bridges_of(session, run)
    tell_read(request, principal, "reconciliation", month)
    return Reconciliation(
        month=month,
        as_of=run.at,
        digest=run.digest,
        invoices=[_reconciled(one) for one in found],
        bridges=[_bridge(one) for one in bridges],
    )


@router.post("/billing/months/{month}/reasons", status_code=201)
def explain(request: Request, month: MonthPath, sent: ReasonSent, principal: Closer) -> Recorded:
    """Explain so much of a gap. Reasons add up."""
    require_everywhere(principal, Permission.BILLING_CLOSE)
    state = request.app.state
    made = GapReason(
        period=str(Period.parse(month)),
        issuer=sent.issuer,
        invoice=sent.invoice,
        currency=sent.currency,
        amount=Decimal(sent.amount),
        reason=sent.reason,
        at=state.clock(),
        by=principal.person_id,
    )
    with transaction(state.engine) as session:
        return Recorded(id=explain_gap(session, made, clerk_of(request, principal)).id)


@router.get("/billing/months")
def months(request: Request, principal: Reader) -> list[MonthShown]:
    """Every month that lines came for, the newest first."""
    require_everywhere(principal, Permission.BILLING_READ)
    with reading(request.app.state.engine) as session:
        known = {one.period: one for one in session.exec(select(Month))}
        people = dict(session.exec(select(Person.id, Person.name)).all())
        there = {*known, *session.exec(select(CostHead.period).distinct())}
        return [_month(one, known.get(one), people) for one in sorted(there, reverse=True)]


@router.post("/billing/months/{month}/prepare")
def prepare(request: Request, month: MonthPath, principal: Closer) -> MonthShown:
    """Put a month before whoever closes it, who is somebody else."""
    require_everywhere(principal, Permission.BILLING_CLOSE)
    state = request.app.state
    with transaction(state.engine) as session:
        made = closing.prepare(session, Period.parse(month), clerk_of(request, principal), state.clock())
        return _month(month, made, {principal.person_id: principal.name})


@router.post("/billing/months/{month}/close")
def close(request: Request, month: MonthPath, principal: Closer) -> ClosedShown:
    """Close a month that somebody else prepared. It never changes again."""
    require_everywhere(principal, Permission.BILLING_CLOSE)
    state = request.app.state
    with transaction(state.engine) as session:
        done = closing.close(session, Period.parse(month), clerk_of(request, principal), state.clock())
    return ClosedShown(month=done.period, digest=done.digest, statements=done.statements)


def _run(session: Session, month: str) -> AllocationRun:
    run, _ = run_of(session, str(Period.parse(month)))
    if run is None:
        raise NotFound(f"{month} was never allocated.", field="month", remedy="Import its lines first.")
    return run


def _reconciled(one: Reconciled) -> ReconciledShown:
    amounts: dict[str, Any] = {
        name: text(getattr(one, name))
        for name in ("imported", "difference", "tolerance", "explained", "tax_invoiced", "tax_imported")
    }
    invoiced = None if one.invoiced is None else text(one.invoiced)
    named = {"issuer": one.issuer, "invoice": one.invoice, "currency": one.currency}
    return ReconciledShown(**named, invoiced=invoiced, lines=one.rows, ok=one.ok, **amounts)


def _bridge(one: Bridge) -> BridgeShown:
    return BridgeShown(
        issuer=one.issuer,
        currency=one.currency,
        billed=text(one.billed),
        steps=[Step(category=what, commitment=how, difference=text(amount)) for what, how, amount in one.steps],
        effective=text(one.effective),
        allocated=text(one.allocated),
    )


def _month(period: str, month: Month | None, people: dict[UUID, str]) -> MonthShown:
    if month is None:
        return MonthShown(month=period, state="open")
    return MonthShown(
        month=period,
        state="closed" if month.closed_at else "prepared",
        digest=month.digest,
        prepared_by=people[month.prepared_by],
        prepared_at=month.prepared_at,
        closed_by=people[month.closed_by] if month.closed_by else "",
        closed_at=month.closed_at,
    )
