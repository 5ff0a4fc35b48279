"""Months: open, prepared, closed. A closed one never changes; what comes late is corrected in the open one after it."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, select

from billing.tables import Month
from governance.units import Period


def closed_months(session: Session) -> dict[str, UUID]:
    """The allocation run that each closed month is pinned to."""
    rows = session.exec(select(Month.period, Month.run_id).where(col(Month.closed_at).is_not(None)))
    return dict(rows.all())


def open_month(session: Session, period: Period) -> Period:
    """The month in which lines of this one are charged: itself, or if it is closed the first open one after it."""
    closed = closed_months(session)
    while str(period) in closed:
        period = period.following
    return period


def corrected_in(session: Session, period: Period) -> list[str]:
    """The closed months whose late lines are corrected in this open one."""
    return sorted(one for one in closed_months(session) if open_month(session, Period.parse(one)) == period)
