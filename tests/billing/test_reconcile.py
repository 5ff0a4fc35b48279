"""Invoices are held against their lines."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from billing.reconcile import Reconciled, bridges, reconcile, tolerance
from billing.tables import GapReason, Invoice, Told

NOW = datetime(2026, 12, 2, tzinfo=UTC)
ISSUER = "Amazon Web Services EMEA SARL"


def told(billed: str, effective: str = "0", rows: int = 5, **more: str) -> Told:
    known = {"issuer": ISSUER, "currency": "EUR", "invoice": "", "category": "Usage", "commitment": ""} | more
    return Told(run_id=uuid4(), lines=rows, billed=Decimal(billed), effective=Decimal(effective), **known)


def invoice(amount: str, number: str = "1") -> Invoice:
    return Invoice(
        issuer=ISSUER,
        currency="EUR",
        period="2026-11",
        number=number,
        amount=Decimal(amount),
        tax=Decimal(0),
        recorded_at=NOW,
        recorded_by=uuid4(),
    )


def reason(amount: str, number: str = "") -> GapReason:
    return GapReason(
        period="2026-11",
        issuer=ISSUER,
        invoice=number,
        currency="EUR",
        amount=Decimal(amount),
        reason="a credit note",
        at=NOW,
        by=uuid4(),
    )


@pytest.mark.parametrize(
    ("rows", "lines", "sent", "ok"),
    [
        (5, "12.50", "12.52", True),
        (5, "10.00", "15.00", False),
        (1_000_000, "5000000.00", "5000004.50", True),
        (1_000_000, "5000000.00", "5000015.00", False),
    ],
)
def test_the_four_scenarios_of_focus(rows: int, lines: str, sent: str, ok: bool) -> None:
    """FOCUS 1.4, appendix "Rounding Variance Tolerance", scenarios 1 to 4 (there in dollars)."""
    (found,) = reconcile([told(lines, rows=rows)], [invoice(sent)], [])
    assert found.ok is ok


def test_the_tolerance_goes_by_the_subunit_of_the_currency() -> None:
    assert tolerance(5, "USD") == 1
    assert tolerance(1_000_000, "USD") == 5
    assert tolerance(5, "JPY") == 100
    assert tolerance(5, "KWD") == Decimal("0.1")


def test_lines_that_name_an_invoice_are_held_against_that_one() -> None:
    lines = [told("10", invoice="A"), told("20", invoice="B"), told("5", invoice="B", category="Tax")]
    found = reconcile(lines, [invoice("10", "A"), invoice("25", "B")], [])
    assert [(one.invoice, one.difference, one.tax_imported, one.ok) for one in found] == [
        ("A", Decimal(0), Decimal(0), True),
        ("B", Decimal(5), Decimal(5), False),
    ]


def test_lines_that_name_none_are_held_against_all_invoices_of_the_issuer() -> None:
    (found,) = reconcile([told("30")], [invoice("10", "A"), invoice("20", "B")], [])
    assert (found.invoice, found.invoiced, found.ok) == ("", Decimal(30), True)


def test_lines_without_an_invoice_and_an_invoice_without_lines_are_gaps() -> None:
    found = reconcile([told("0.40", issuer="Microsoft")], [invoice("0.10")], [])
    assert [(one.issuer, one.invoiced, one.ok) for one in found] == [
        (ISSUER, Decimal("0.10"), True),
        ("Microsoft", None, False),
    ]


def test_an_explained_gap_is_none_and_a_reason_too_many_is_one() -> None:
    lines, sent = [told("30")], [invoice("25")]
    assert not one_of(reconcile(lines, sent, [])).ok
    assert one_of(reconcile(lines, sent, [reason("-5")])).ok
    assert not one_of(reconcile(lines, sent, [reason("-5"), reason("-5")])).ok


def one_of(found: list[Reconciled]) -> Reconciled:
    (one,) = found
    return one


def test_the_bridge_leads_from_billed_to_charged_back() -> None:
    lines = [
        told("10", "10"),
        told("0", "7", commitment="Used"),
        told("8", "0", category="Purchase"),
        told("0", "1", commitment="Unused"),
    ]
    (found,) = bridges(lines, {(ISSUER, "EUR"): Decimal(18)})
    assert (found.billed, found.effective, found.allocated) == (Decimal(18),) * 3
    steps = [("Purchase", "", -8), ("Usage", "Unused", 1), ("Usage", "Used", 7)]
    assert found.steps == [(category, commitment, Decimal(step)) for category, commitment, step in steps]
