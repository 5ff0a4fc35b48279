"""The made-up bills have a known answer, and the whole way of a bill arrives at it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from governance.demo.bills import bills_of
from governance.units import Period
from tests.api.conftest import Api
from tests.cli.conftest import Ended, Shell
from tests.cli.test_billing_commands import run, worker

__all__ = ["worker"]

OCTOBER = Period(2026, 10)


def test_the_same_month_gives_the_same_bytes_and_another_one_others() -> None:
    first, again, other = bills_of(OCTOBER), bills_of(OCTOBER), bills_of(OCTOBER.following)
    assert [one.csv() for one in first] == [one.csv() for one in again]
    assert all(one.csv() != later.csv() for one, later in zip(first, other, strict=True))
    assert all(str(OCTOBER.start.date()) in one.csv() for one in first)


def test_what_is_owed_is_the_whole_of_what_is_charged_back() -> None:
    for bill in bills_of(OCTOBER):
        assert sum(bill.owed.values()) == sum(Decimal(one["EffectiveCost"]) for one in bill.lines)
    aws, _ = bills_of(OCTOBER)
    billed = sum(Decimal(one["BilledCost"]) for one in aws.lines if one["ChargeCategory"] != "Tax")
    assert billed == sum(Decimal(one["EffectiveCost"]) for one in aws.lines)  # the bridge leads over the purchase


@pytest.mark.usefixtures("worker")
def test_an_installation_arrives_at_the_known_answer(shell: Shell, api: Api, tmp_path: Path) -> None:
    def finance(person: str, *words: str) -> Ended:
        done = run(shell, api, person, "billing", *words)
        assert done.code == 0, done
        return done

    written = shell.run("demo", "data", str(tmp_path / "bills"), "--month", "2026-10")
    assert written.code == 0, written
    answer = json.loads((tmp_path / "bills" / "2026-10-answer.json").read_text())
    for file in sorted((tmp_path / "bills").glob("*.csv")):
        finance("bauer", "import", "focus", str(file), "--source", file.stem)
    for one in answer["invoices"]:
        named = ("--issuer", one["issuer"], "--month", "2026-10", "--currency", one["currency"])
        finance("bauer", "invoice", "record", one["number"], *named, "--amount", one["amount"], "--tax", one["tax"])
    told = json.loads(finance("keller", "reconciliation", "2026-10", "--output", "json").out)
    assert [(one["invoice"], one["ok"]) for one in told["invoices"]] == [
        (one["number"], True) for one in answer["invoices"]
    ]
    aws, _ = told["bridges"]
    assert {step["category"] for step in aws["steps"]} == {"Purchase", "Tax", "Usage"}
    finance("bauer", "prepare", "2026-10")
    finance("keller", "close", "2026-10")
    (statement,) = json.loads(finance("keller", "statement", "st-elisabeth", "2026-10", "--output", "json").out)
    assert statement["state"] == "closed"
    assert owed(statement) == {
        project: Decimal(amount) for project, amount in answer["owed"].items() if Decimal(amount)
    }


def owed(statement: Mapping[str, list[Mapping[str, str]]]) -> dict[str, Decimal]:
    """What each project owes, with every digit."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for line in statement["lines"]:
        found[line["project"]] += Decimal(line["exact"])
    return found


@pytest.mark.parametrize(("month", "said"), [("2026-13", "'2026-13' is not a month"), ("x", "'x' is not a month")])
def test_what_is_no_month_is_refused(shell: Shell, tmp_path: Path, month: str, said: str) -> None:
    refused = shell.run("demo", "data", str(tmp_path), "--month", month)
    assert (refused.code, said in refused.err) == (3, True), refused
    assert list(tmp_path.glob("*.csv")) == []
