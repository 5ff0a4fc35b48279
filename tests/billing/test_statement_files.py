"""A statement as CSV and as PDF says the same as on the screen."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

from pypdf import PdfReader

from billing.statements.model import Line, Statement, amounts_of
from billing.statements.pdf import pdf
from billing.statements.table import COLUMNS, table

NAME = '=HYPERLINK("https://evil.example")'


def statement(*names: str, state: str = "closed", number: int | None = 12) -> Statement:
    exact = [Decimal("10.005"), Decimal("-3.335"), Decimal("0.004999999999")][: len(names)]
    lines = [
        Line(
            posting=uuid4(),
            project=name,
            service="Amazon Elastic Compute Cloud",
            category="Usage",
            rule="rule @sum",
            issuer="AWS",
            lines=1234,
            billed=one,
            exact=one,
            amount=amount,
        )
        for name, one, amount in zip(names, exact, amounts_of(exact, "EUR"), strict=True)
    ]
    at = datetime(2026, 12, 3, 8, 30, 12, 345678, tzinfo=UTC)
    return Statement("radiology", "Radiology", "department", "2026-11", "EUR", state, number, at, "ab" * 32, lines)


def test_the_csv_has_every_digit_and_the_same_total() -> None:
    one = statement("ct-training", "pacs", "")
    rows = list(csv.DictReader(io.StringIO(table(one))))
    assert tuple(rows[0]) == COLUMNS
    assert [Decimal(row["exact"]) for row in rows[:-1]] == [line.exact for line in one.lines]
    total = rows[-1]
    assert (total["project"], Decimal(total["amount"]), Decimal(total["exact"])) == ("Total", one.total, one.exact)
    assert sum(Decimal(row["amount"]) for row in rows[:-1]) == one.total == Decimal("6.67")
    assert total["lines"] == "3702"


def test_a_formula_in_the_csv_is_only_text() -> None:
    (row, _) = csv.DictReader(io.StringIO(table(statement(NAME))))
    assert row["project"] == f"'{NAME}"
    assert row["rule"] == "rule @sum"


def test_the_pdf_has_the_same_total_and_the_same_bytes_each_time() -> None:
    one = statement("ct-training", NAME, "")
    made = pdf(one, "St. Elisabeth Hospitals")
    assert pdf(one, "St. Elisabeth Hospitals") == made
    document = PdfReader(io.BytesIO(made))
    text = "\n".join(page.extract_text() for page in document.pages)
    for told in ("Statement S-12", "Radiology", "2026-11", "6.67 EUR", "1,234", "Nobody", "HYPERLINK", "abababab"):
        assert told in text, text
    assert document.metadata is not None
    assert document.metadata.title == "Statement S-12"


def test_a_provisional_pdf_says_that_it_may_change() -> None:
    made = pdf(statement("pacs", state="provisional", number=None), "St. Elisabeth Hospitals")
    text = PdfReader(io.BytesIO(made)).pages[0].extract_text()
    assert "Provisional statement" in text
    assert "may change" in text


def test_a_statement_of_many_lines_goes_over_pages() -> None:
    one = statement("pacs")
    many = Statement(**{**{name: getattr(one, name) for name in one.__slots__}, "lines": list(one.lines) * 200})
    pages = PdfReader(io.BytesIO(pdf(many, "St. Elisabeth Hospitals"))).pages
    assert len(pages) > 2
    assert f"{len(pages)} / {len(pages)}" in pages[-1].extract_text()
    assert "Why" in pages[-1].extract_text()  # the header stands on every page
