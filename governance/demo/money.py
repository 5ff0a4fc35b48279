"""The story goes on: a cloud launches, the bill comes, and what was spent decides on what is asked for next."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

from governance import clock
from governance.demo.bills import answer_of, bills_of, so_far
from governance.demo.launch import launch_of
from governance.demo.stage import Stage
from governance.demo.telling import Teller, require
from governance.units import Period

GPU = "requests.nvidia.com/gpu"
INSTANCE, MACHINE = "i-0a1b2c3d4e5f60718", "g5.xlarge"
COST = Decimal("1.18")  # of its hour, by the bill; by the list of prices it is 1.12
_OTHER = Decimal("512.40")  # of the same project, this month
_BUDGET = "500"
_BUDGET_FILE = "budgets.yaml"


def launch(stage: Stage, tell: Teller) -> None:
    """An instance is charged to the same ledger, so that the cluster has less room."""
    stage.send_event(launch_of(INSTANCE, MACHINE, clock.now()), "deployer")
    tell.wait(lambda: stage.taken("radiology", GPU) == (0, 3), "one GPU more is used in radiology")
    answer = stage.api_server.ask(stage.recording.scenes["once-more"])
    expected = f"{GPU}: requested 18, used 3, limit 17 of radiology"
    require(not answer.allowed and expected in answer.message, f"a denial that says: {expected}")
    tell.step("AWS tells of a launch: the same policies, the same ledger. The cluster has less room.")
    tell.note(f"CloudEvent: RunInstances {MACHINE}, 1 GPU, tagged ct-training, by okafor@st-elisabeth.example")
    tell.command("okafor", "kubectl scale deployment/ct-train --replicas=20")
    tell.denial(answer.message)


def close(stage: Stage, tell: Teller) -> None:
    """The last month: its bills arrive at the known answer, and two people close it."""
    month = Period.of(clock.now()).previous
    bills, named = bills_of(month), str(month)
    with tell.doing("importing the bills of last month"):
        for bill in bills:
            said = _import(stage, f"{bill.issuer.split()[0].lower()}.csv", bill.csv())
            words = ("--issuer", bill.issuer, "--month", named, "--currency", "EUR", "--amount", str(bill.amount))
            stage.cli("billing", "invoice", "record", bill.invoice, *words, "--tax", str(bill.tax), person="bauer")
            require("in force" in said, f"the lines of {bill.issuer} are in force")
        stage.cli("billing", "prepare", named, person="bauer")
        closed = stage.cli("billing", "close", named, person="keller").strip()
    (whole,) = json.loads(_statement(stage, "st-elisabeth", month))
    owed = sum((Decimal(one) for one in json.loads(answer_of(bills))["owed"].values()), Decimal(0))
    require(sum((Decimal(one["exact"]) for one in whole["lines"]), Decimal(0)) == owed, "parts that sum to the whole")
    tell.step("Last month's bills tie to their invoices; finance closes the month, two people of it.")
    for bill in bills:
        tell.command("bauer", f"governance billing import focus {bill.issuer.split()[0].lower()}.csv --source ...")
        tell.note(f"{bill.issuer}: {len(bill.lines)} lines, invoice {bill.invoice} of {bill.amount} EUR")
    tell.command("bauer", f"governance billing prepare {named}")
    tell.command("keller", f"governance billing close {named}")
    tell.note(closed, "green")
    tell.command("keller", f"governance billing statement radiology {named}")
    with tell.doing("reading the statement"):
        table = stage.cli("billing", "statement", "radiology", named, person="keller")
    require(re.search(r" EUR \(S-\d+", table), "a statement with its number")
    tell.table(table, mark="Radiology")


def settle(stage: Stage, tell: Teller) -> str:
    """A line of the bill settles the launch. Returns the decision that let it in."""
    now = clock.now()
    with tell.doing("importing this month's bill"):
        said = _import(stage, "aws-now.csv", so_far(INSTANCE, now, COST, _OTHER).csv())
        found = json.loads(_settlement(stage, str(Period.of(now)), "--output", "json"))
        table = _settlement(stage, str(Period.of(now)))
    require("in force" in said, "this month's lines are in force")
    settled = [one for one in found if one["name"].endswith(INSTANCE)]
    require(len(settled) == 1 and Decimal(settled[0]["actual"]) == COST, f"{INSTANCE} is settled at {COST} EUR")
    tell.step("This month's bill settles what was reserved: estimate, actual, and whose decision.")
    tell.command("bauer", "governance billing import focus aws-now.csv --source aws")
    tell.table(said, mark=str(Period.of(now)))
    tell.command("bauer", f"governance billing settlement radiology {Period.of(now)}")
    tell.table(table, mark="ct-training")
    return str(settled[0]["decision"])


def spend(stage: Stage, tell: Teller) -> None:
    """What was spent reaches a budget, and the next request is denied by it."""
    file = stage.folder / "hospital" / _BUDGET_FILE
    before = file.read_text(encoding="utf-8")
    lower = before.replace('"40000"', f'"{_BUDGET}"').replace("reached: approval", "reached: deny")
    require(lower != before, f"{_BUDGET_FILE} has a budget of 40000 EUR")
    file.write_text(lower, encoding="utf-8")
    with tell.doing("applying a smaller budget"):
        said = stage.cli("apply", "-f", "hospital").rstrip().splitlines()[-1]
    answer = stage.api_server.ask(stage.recording.scenes["frozen"])
    expected = f"of a budget of {_BUDGET}.00 EUR"
    require(not answer.allowed and expected in answer.message, f"a denial that says: {expected}")
    tell.step("Spend, as allocated, reaches a budget: one GPU more is denied. What runs goes on.")
    tell.command("sato", f"governance apply -f examples/hospital    # radiology may spend {_BUDGET} EUR a month")
    tell.note(said)
    tell.command("okafor", "kubectl scale deployment/ct-train --replicas=3")
    tell.denial(answer.message)
    file.write_text(before, encoding="utf-8")


def lead_back(stage: Stage, tell: Teller, decision: str) -> None:
    """From the euro on the statement to the decision, and to who asked."""
    with tell.doing("reading the decision"):
        shown = json.loads(stage.cli("decisions", "show", decision, "--output", "json"))
    require(shown["outcome"] == "allow", "the launch was allowed")
    tell.step("From a euro on the bill back to the decision, years later.")
    tell.command("sato", f"governance decisions show {decision}")
    tell.note(f"{COST} EUR: {INSTANCE}, asked for by {shown['actor']}, allowed by revision {shown['config_revision']}")
    tell.note(f"{stage.address}/decisions/{decision}")


def _import(stage: Stage, name: str, lines: str) -> str:
    file: Path = stage.folder / name
    file.write_text(lines, encoding="utf-8")
    return stage.cli("billing", "import", "focus", name, "--source", name.split("-")[0].split(".")[0], person="bauer")


def _statement(stage: Stage, node: str, month: Period) -> str:
    return stage.cli("billing", "statement", node, str(month), "--output", "json", person="keller")


def _settlement(stage: Stage, month: str, *words: str) -> str:
    return stage.cli("billing", "settlement", "radiology", month, *words, person="bauer")
