"""Writing down invoices, and why one and its lines differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.months import closed_months
from billing.tables import GapReason, Invoice
from governance.audit.log import record
from governance.errors import Conflict


@dataclass(frozen=True, slots=True)
class Clerk:
    """Who does it. `request_id`: of the request by which they did."""

    id: UUID
    name: str
    request_id: str = ""


def record_invoice(session: Session, invoice: Invoice, clerk: Clerk) -> Invoice:
    """Write down an invoice, in the caller's transaction. One with the same number is replaced by it.

    Raises Conflict: its month is closed.
    """
    _refuse_closed(session, invoice.period)
    session.add(invoice)
    session.flush()
    told = {"period": invoice.period, "currency": invoice.currency}
    told |= {"amount": f"{invoice.amount:f}", "tax": f"{invoice.tax:f}"}
    _audit(session, "billing.invoice", f"{invoice.issuer}/{invoice.number}", told, clerk, invoice.recorded_at)
    return invoice


def explain_gap(session: Session, reason: GapReason, clerk: Clerk) -> GapReason:
    """Give a reason for so much of a gap, in the caller's transaction. Reasons add up.

    Raises Conflict: the month is closed.
    """
    _refuse_closed(session, reason.period)
    session.add(reason)
    session.flush()
    told = {
        "period": reason.period,
        "currency": reason.currency,
        "amount": f"{reason.amount:f}",
        "reason": reason.reason,
    }
    _audit(session, "billing.explain", f"{reason.issuer}/{reason.invoice}", told, clerk, reason.at)
    return reason


def _refuse_closed(session: Session, period: str) -> None:
    if period in closed_months(session):
        raise Conflict(f"{period} is closed.", remedy="A closed month never changes.")


def _audit(session: Session, action: str, what: str, told: dict[str, str], clerk: Clerk, at: datetime) -> None:
    record(session, clerk.name, action, "invoice", what, after=told, request_id=clerk.request_id, at=at)
