"""A statement as PDF, by Typst. The same statement gives the same bytes."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from importlib.resources import files

import typst

from billing.statements.model import Line, Statement


def pdf(statement: Statement, issuer: str) -> bytes:
    """The document. `issuer`: who sends it, the organisation's title."""
    made: bytes = typst.compile(
        _template(),
        sys_inputs={"statement": json.dumps(_told(statement, issuer))},
        timestamp=statement.as_of.replace(microsecond=0),
        pdf_standards=["a-2a", "ua-1"],  # kept for years, and read aloud
    )
    return made


def title_of(statement: Statement) -> str:
    """What a statement is called."""
    return f"Statement {number_of(statement)}".rstrip() if statement.number else "Provisional statement"


def number_of(statement: Statement) -> str:
    """Its number as people write it; empty while it has none."""
    return f"S-{statement.number}" if statement.number else ""


def what_of(line: Line) -> str:
    """What a line is for: a charge, or a service and the category of its charges."""
    what = f"{line.service or 'No service'}, {line.category}" if not line.charge else f"{line.charge} ({line.service})"
    return f"{what}, correction of {line.of_period}" if line.of_period else what


def why_of(line: Line) -> str:
    """Why a project owes it, in words."""
    if line.decision:
        return f"asked by {line.asked_by}, decision {line.decision}"
    return line.rule or "nobody owns it"


@cache
def _template() -> bytes:
    return (files("billing.statements") / "statement.typ").read_bytes()


def _told(statement: Statement, issuer: str) -> dict[str, object]:
    by_state = {
        "provisional": "Provisional: not every invoice is here and ties to its lines. The amounts may change.",
        "invoiced": "Every invoice is here and ties to its lines. The month is not closed yet; the amounts may change.",
    }
    return {
        "issuer": issuer,
        "title": title_of(statement),
        "state": statement.state,
        "note": by_state.get(statement.state, ""),
        "currency": statement.currency,
        "total": f"{_amount(statement.total)} {statement.currency}",
        "amount": _amount(statement.total),
        "facts": [
            [statement.kind.capitalize(), statement.title],
            ["Month", statement.period],
            ["State", statement.state],
            ["As of", f"{statement.as_of:%Y-%m-%d %H:%M} UTC"],
            ["On the invoices", f"{_digits(statement.billed)} {statement.currency}"],
            ["Before rounding", f"{_digits(statement.exact)} {statement.currency}"],
        ],
        "projects": [[name or "Nobody's", _amount(amount)] for name, amount in statement.projects],
        "lines": [
            [one.project or "Nobody's", what_of(one), why_of(one), f"{one.lines:,}", _amount(one.amount)]
            for one in statement.lines
        ],
        "footer": f"Allocation {statement.digest[:16]}",
    }


def _amount(amount: Decimal) -> str:
    return f"{amount:,f}"


def _digits(amount: Decimal) -> str:
    """Every digit, but for the zeros at the end."""
    return f"{amount:,f}".rstrip("0").rstrip(".")
