"""Finance closes a month on the command line: reconcile, explain, prepare, close, and write statements."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests.api.conftest import Api
from tests.billing.bills import bill
from tests.cli.conftest import Ended, Shell
from tests.cli.test_billing_commands import run, worker

__all__ = ["worker"]

OCTOBER = {
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargePeriodStart": "2026-10-12T00:00:00Z",
    "ChargePeriodEnd": "2026-10-12T01:00:00Z",
}
ISSUER = "Amazon Web Services EMEA SARL"


class Finance:
    def __init__(self, shell: Shell, api: Api, folder: Path) -> None:
        self._shell, self._api, self.folder = shell, api, folder

    def __call__(self, person: str, *words: str) -> Ended:
        return run(self._shell, self._api, person, "billing", *words)

    def send(self, *lines: dict[str, str]) -> Ended:
        file = self.folder / "october.csv"
        file.write_bytes(bill(*({**OCTOBER, **one} for one in lines)))
        return self("bauer", "import", "focus", str(file), "--source", "aws-main")

    def invoice(self, number: str, amount: str) -> Ended:
        words = ("--issuer", ISSUER, "--month", "2026-10", "--currency", "EUR", "--amount", amount)
        return self("bauer", "invoice", "record", number, *words)


@pytest.fixture
def finance(shell: Shell, api: Api, tmp_path: Path, worker: None) -> Finance:  # noqa: ARG001
    return Finance(shell, api, tmp_path)


def test_a_month_is_closed_by_two_and_stays_as_it_was(finance: Finance) -> None:
    sent = finance.send(
        {"BilledCost": "100", "EffectiveCost": "90"},
        {"BilledCost": "20", "EffectiveCost": "20", "SubAccountId": "444455556666"},
    )
    assert (sent.code, sent.err) == (0, "")
    assert "2026-10  open" in finance("keller", "months").out
    refused = finance("bauer", "prepare", "2026-10")
    assert (refused.code, refused.err) == (
        6,
        f"{ISSUER} has no invoice. Record the invoice, import the lines anew, or explain the gap: "
        "governance billing reconciliation 2026-10.\n",
    )
    assert finance.invoice("EUINSE26-1", "125").out == f"{ISSUER} EUINSE26-1 is recorded: 125.00 EUR for 2026-10.\n"
    told = finance("keller", "reconciliation", "2026-10").out
    assert f"{ISSUER}  -        EUR    125.00    120.00        5.00       1.00       0.00  gap" in told
    assert [line.split()[-1] for line in told.splitlines() if "billed" in line or "charged back" in line] == [
        "120.00",
        "110.00",
    ]
    explained = ("--issuer", ISSUER, "--currency", "EUR", "--amount", "5", "--reason", "A training day, on paper only.")
    assert finance("bauer", "explain", "2026-10", *explained).code == 0
    assert "ties" in finance("keller", "reconciliation", "2026-10").out
    assert finance("bauer", "prepare", "2026-10").out.startswith("2026-10 is prepared, with allocation ")
    same = finance("bauer", "close", "2026-10")
    assert (same.code, same.err) == (4, "bauer prepared 2026-10; somebody else must close it.\n")
    closed = finance("keller", "close", "2026-10")
    assert closed.out.startswith("2026-10 is closed: 2 statements, allocation ")
    again = finance("keller", "close", "2026-10")
    assert again.code == 6
    assert "2026-10 is closed" in again.err
    late = finance.invoice("EUINSE26-2", "1")
    assert (late.code, late.err) == (6, "2026-10 is closed. A closed month never changes.\n")
    before = finance("keller", "statement", "st-elisabeth", "2026-10", "--output", "json").out
    finance.send({"BilledCost": "101", "EffectiveCost": "91"})
    assert finance("keller", "statement", "st-elisabeth", "2026-10", "--output", "json").out == before
    november = finance("keller", "statement", "st-elisabeth", "2026-11").out
    assert "correction of 2026-10" in november
    assert "-19.00" in november


def test_a_statement_says_the_same_on_the_screen_as_csv_and_as_pdf(finance: Finance) -> None:
    finance.send({"EffectiveCost": "90.005"}, {"EffectiveCost": "20", "SubAccountId": "444455556666"})
    csv_file, pdf_file = finance.folder / "s.csv", finance.folder / "s.pdf"
    shown = finance("keller", "statement", "st-elisabeth", "2026-10", "--csv", str(csv_file), "--pdf", str(pdf_file))
    assert shown.code == 0, shown.out
    assert shown.out.startswith("St. Elisabeth Hospitals, 2026-10: 110.00 EUR (provisional)\n")
    assert [line.split() for line in shown.out.splitlines()[-3:]] == [
        ["platform-services", "90.00"],
        ["nobody's", "20.00"],
        ["total", "110.00"],
    ]
    assert shown.err.splitlines() == [f"{csv_file} is written.", f"{pdf_file} is written."]
    *_, total = csv.DictReader(io.StringIO(csv_file.read_text()))
    assert (total["amount"], total["exact"]) == ("110.00", "110.005000000000")
    assert "110.00 EUR" in PdfReader(pdf_file).pages[0].extract_text()
    nowhere = finance("keller", "statement", "st-elisabeth", "2026-10", "--csv", str(finance.folder / "no" / "s.csv"))
    assert nowhere.code == 3
    assert "cannot be written" in nowhere.err


def test_a_head_of_a_department_sees_that_department_only(finance: Finance) -> None:
    finance.send({"EffectiveCost": "90", "Tags": json.dumps({"hospital:project": "ct-training"})})
    assert "90.00 EUR" in finance("lindqvist", "statement", "radiology", "2026-10").out
    for node in ("st-elisabeth", "medicine"):
        refused = finance("lindqvist", "statement", node, "2026-10")
        assert (refused.code, refused.err.startswith(f"node: There is no department or project {node}.")) == (5, True)
    for words in (("reconciliation", "2026-10"), ("months",), ("prepare", "2026-10"), ("close", "2026-10")):
        assert finance("lindqvist", *words).code == 4, words
    assert finance("okafor", "statement", "radiology", "2026-10").code == 4


def test_a_line_of_a_statement_leads_down_to_the_bill_for_who_may_see_it(finance: Finance) -> None:
    tagged = {"EffectiveCost": "90.5", "ResourceId": "vol-1", "Tags": json.dumps({"hospital:project": "ct-training"})}
    finance.send(tagged, {"EffectiveCost": "7"})
    told = json.loads(finance("keller", "statement", "st-elisabeth", "2026-10", "--output", "json").out)
    theirs, others = (
        next(line["posting"] for line in told[0]["lines"] if line["project"] == name)
        for name in ("ct-training", "platform-services")
    )
    shown = finance("lindqvist", "lines", theirs)
    (row,) = shown.out.splitlines()[1:]
    assert row.split() == ["2026-10-12T00:00:00Z", "2026-10-12T01:00:00Z", "vol-1", "111122223333", "-", "1", "90.5"]
    assert "7" in finance("keller", "lines", others).out
    for posting in (others, "01a21e7c-9ad1-7004-b972-4ae596a5d48f"):
        refused = finance("lindqvist", "lines", posting)
        assert (refused.code, "no such line" in refused.err) == (5, True)


def test_rules_that_came_later_hold_when_the_month_is_allocated_anew(finance: Finance) -> None:
    finance.send({"EffectiveCost": "90"})
    assert finance("bauer", "allocate", "2026-10").out == "Nothing is other than it was.\n"


@pytest.mark.parametrize("month", ["2026-13", "0000-01", "october"])
def test_what_is_no_month_is_refused(finance: Finance, month: str) -> None:
    for words in (("reconciliation", month), ("prepare", month), ("statement", "st-elisabeth", month)):
        refused = finance("keller", *words)
        assert (refused.code, "month" in refused.err) == (3, True), refused
