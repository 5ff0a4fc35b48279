"""Holding invoices against what was imported and what was allocated. A gap that nobody explains stops the close."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlmodel import Session, col, select

from billing.allocate import postings_of
from billing.allocation import EXACT, NOTHING, sum_of, totals
from billing.tables import AllocationRun, GapReason, Invoice, Told

_TAX = "Tax"
_FLOOR = 100  # subunits
_WITHOUT_SUBUNIT = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())  # noqa: SIM905
_OF_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def subunit_of(currency: str) -> Decimal:
    """The smallest part of a currency that is paid. Source: ISO 4217, table A.1, "Minor unit"."""
    return Decimal(1).scaleb(0 if currency in _WITHOUT_SUBUNIT else -3 if currency in _OF_THREE_DECIMALS else -2)


def tolerance(rows: int, currency: str) -> Decimal:
    """By how much an invoice and its lines may differ, for lines are rounded one by one.

    Source: FOCUS 1.4, appendix "Rounding Variance Tolerance": MAX(100 x Subunit, (SQRT(Rows) x 0.5) x Subunit).
    """
    statistical = EXACT.multiply(EXACT.sqrt(Decimal(rows)), Decimal("0.5"))
    return EXACT.multiply(max(Decimal(_FLOOR), statistical), subunit_of(currency))


@dataclass(frozen=True, slots=True)
class Reconciled:
    """An invoice beside its lines. Tax is told and not compared: exports have it or not (FOCUS 1.4, "Billed Cost").

    `invoice`: its number; empty: all of the issuer's invoices, beside its lines that name none. `invoiced`: None where
    there is no invoice. `explained`: how much of the difference finance has given a reason for.
    """

    issuer: str
    currency: str
    invoice: str
    invoiced: Decimal | None
    imported: Decimal
    rows: int
    explained: Decimal
    tax_invoiced: Decimal
    tax_imported: Decimal

    @property
    def difference(self) -> Decimal:
        """By how much the invoice is above its lines."""
        return EXACT.subtract(self.invoiced or NOTHING, self.imported)

    @property
    def tolerance(self) -> Decimal:
        return tolerance(self.rows, self.currency)

    @property
    def ok(self) -> bool:
        """Whether nothing is left that nobody has explained."""
        open_ = abs(EXACT.subtract(self.difference, self.explained))
        return open_ <= self.tolerance and (self.invoiced is not None or self.explained != 0 or self.imported == 0)


@dataclass(frozen=True, slots=True)
class Bridge:
    """How what an issuer billed becomes what is charged back: `steps` by charge category and commitment, as far as they
    make a difference."""

    issuer: str
    currency: str
    billed: Decimal
    steps: Sequence[tuple[str, str, Decimal]]
    effective: Decimal
    allocated: Decimal  # of the effective cost; it is the same, or nothing is written


def reconcile(told: Iterable[Told], invoices: Iterable[Invoice], reasons: Iterable[GapReason]) -> list[Reconciled]:
    """Every invoice with its lines, and all lines with their invoice, by issuer. Pure."""
    lines: dict[tuple[str, str, str], list[Told]] = defaultdict(list)
    for one in told:
        lines[one.issuer, one.currency, one.invoice].append(one)
    sent: dict[tuple[str, str, str], list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        named = (invoice.issuer, invoice.currency, invoice.number)
        unnamed = (invoice.issuer, invoice.currency, "")
        sent[named if named in lines or unnamed not in lines else unnamed].append(invoice)
    given: dict[tuple[str, str, str], list[Decimal]] = defaultdict(list)
    for reason in reasons:
        given[reason.issuer, reason.currency, reason.invoice].append(reason.amount)
    return [
        Reconciled(
            *key,
            invoiced=sum_of(one.amount for one in sent[key]) if key in sent else None,
            imported=sum_of(one.billed for one in lines[key] if one.category != _TAX),
            rows=sum(one.lines for one in lines[key] if one.category != _TAX),
            explained=sum_of(given.get(key, ())),
            tax_invoiced=sum_of(one.tax for one in sent.get(key, ())),
            tax_imported=sum_of(one.billed for one in lines[key] if one.category == _TAX),
        )
        for key in sorted(lines.keys() | sent.keys())
    ]


def bridges(told: Iterable[Told], allocated: Mapping[tuple[str, str], Decimal]) -> list[Bridge]:
    """From billed to charged back, by issuer and currency. Pure."""
    by_issuer: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for one in told:
        by_issuer[one.issuer, one.currency].append(one)
    found = []
    for key, rows in sorted(by_issuer.items()):
        steps: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
        for one in rows:
            steps[one.category, one.commitment].append(EXACT.subtract(one.effective, one.billed))
        sums = [(category, commitment, sum_of(each)) for (category, commitment), each in sorted(steps.items())]
        billed, effective = sum_of(one.billed for one in rows), sum_of(one.effective for one in rows)
        found.append(Bridge(*key, billed, [one for one in sums if one[2]], effective, allocated.get(key, NOTHING)))
    return found


def reconciliation(session: Session, run: AllocationRun) -> list[Reconciled]:
    """The invoices of a run's month beside the lines that it allocated."""
    reasons = session.exec(select(GapReason).where(GapReason.period == run.period)).all()
    return reconcile(_told(session, run.id), invoices_of(session, run.period), reasons)


def bridges_of(session: Session, run: AllocationRun) -> list[Bridge]:
    """From billed to charged back in a run's month."""
    own = totals(one for one in postings_of(session, run.id) if not one.of_period)
    return bridges(_told(session, run.id), {key: effective for key, (_, effective) in own.items()})


def invoices_of(session: Session, period: str) -> list[Invoice]:
    """The invoices of a month, by issuer and number: of each the one that was recorded last."""
    rows = session.exec(select(Invoice).where(Invoice.period == period).order_by(col(Invoice.id)))
    newest = {(one.issuer, one.number): one for one in rows}
    return [newest[key] for key in sorted(newest)]


def _told(session: Session, run: UUID) -> Sequence[Told]:
    return session.exec(select(Told).where(Told.run_id == run)).all()
