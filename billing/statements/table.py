"""A statement as CSV, with every digit."""

from __future__ import annotations

import csv
import io

from billing.statements.model import Statement

COLUMNS = (
    "project",
    "service",
    "category",
    "charge",
    "rule",
    "issuer",
    "decision",
    "asked by",
    "corrects",
    "lines",
    "currency",
    "billed",
    "exact",
    "amount",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(statement: Statement) -> str:
    """The lines, and last the total (RFC 4180). `amount` is what is owed, `exact` the same before it was rounded."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in statement.lines:
        words = (one.project, one.service, one.category, one.charge, one.rule, one.issuer)
        more = (str(one.decision or ""), one.asked_by, one.of_period)
        amounts = (f"{one.billed:f}", f"{one.exact:f}", f"{one.amount:f}")
        writer.writerow((*map(plain, (*words, *more)), one.lines, statement.currency, *amounts))
    total = (f"{statement.billed:f}", f"{statement.exact:f}", f"{statement.total:f}")
    counted = sum(one.lines for one in statement.lines)
    writer.writerow(("Total", *[""] * 8, counted, statement.currency, *total))
    return text.getvalue()


def plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe goes before one (OWASP, "CSV Injection")."""
    return f"'{text}" if text.startswith(_FORMULA) else text
