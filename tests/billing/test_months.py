"""A month is allocated, prepared by one person, closed by another, and corrected after it; on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col, select

from billing.allocate import allocate, postings_of, run_in_force
from billing.allocation import sum_of
from billing.close import Closed, UnexplainedGap, close, prepare
from billing.drill import lines_behind
from billing.invoices import Clerk, explain_gap, record_invoice
from billing.jobs import IMPORT_FOCUS
from billing.reconcile import bridges_of, reconciliation
from billing.statements.model import Statement
from billing.statements.read import statements_of
from billing.tables import AllocationRun, GapReason, Invoice, PostingRow
from billing.tables import Statement as Issued
from governance import clock
from governance.audit.tables import AuditEvent
from governance.budget.tables import Spend
from governance.configuration.apply import Applier, apply
from governance.configuration.model import SourceFile
from governance.db.session import reading, transaction
from governance.errors import Conflict, Forbidden
from governance.identity.organisation import node_named
from governance.identity.tables import Node
from governance.units import Period
from tests.admission.conftest import Hospital, person
from tests.billing.bills import SAMPLE, WITH_SAMPLE
from tests.billing.conftest import ONE, Finance, of
from tests.configuration.manifests import EXAMPLE

NOV, DEC = Period(2026, 11), Period(2026, 12)
AFTER = datetime(2026, 12, 3, tzinfo=UTC)
LATER = datetime(2027, 1, 3, tzinfo=UTC)
ISSUER = "Amazon Web Services EMEA SARL"
OWN = {"SubAccountId": "111122223333"}
ELSEWHERE = {"SubAccountId": "444455556666"}
SUPPORT = {**ELSEWHERE, "ServiceName": "AWS Support (Business)"}
TAGGED = {**ELSEWHERE, "Tags": '{"hospital:project": "ct-training"}'}


class Books:
    """Finance with two people."""

    def __init__(self, finance: Finance, hospital: Hospital) -> None:
        self.finance, self.engine = finance, finance.engine
        self.first, self.second = (Clerk(person(hospital, one).id, one) for one in ("haddad", "okafor"))

    def statement(self, node: str, period: Period = NOV) -> Statement:
        with reading(self.engine) as session:
            (found,) = statements_of(session, node_named(session, node), str(period))
        return found

    def invoice(self, amount: str, period: Period = NOV, number: str = "7") -> None:
        with transaction(self.engine) as session:
            invoice = Invoice(
                issuer=ISSUER,
                number=number,
                period=str(period),
                currency="EUR",
                amount=Decimal(amount),
                tax=Decimal(0),
                recorded_at=AFTER,
                recorded_by=self.first.id,
            )
            record_invoice(session, invoice, self.first)

    def prepare(self, period: Period = NOV, now: datetime = AFTER) -> None:
        with transaction(self.engine) as session:
            prepare(session, period, self.first, now)

    def close(self, clerk: Clerk | None = None, period: Period = NOV, now: datetime = AFTER) -> Closed:
        with transaction(self.engine) as session:
            return close(session, period, clerk or self.second, now)

    def all(self, table: type[Any]) -> list[Any]:
        with reading(self.engine) as session:
            return list(session.exec(select(table)))


@pytest.fixture
def books(finance: Finance, hospital: Hospital) -> Books:
    return Books(finance, hospital)


def line(effective: str, billed: str | None = None, **more: str) -> dict[str, str]:
    return {"EffectiveCost": effective, "BilledCost": billed or effective, **more}


def test_every_line_finds_who_pays_and_the_parts_sum_to_the_whole(books: Books) -> None:
    done = books.finance.send(
        of(ONE, EffectiveCost="3", BilledCost="3"),
        line("1", **OWN),
        line("2", **TAGGED),
        line("0.7", **SUPPORT),
        line("5", **ELSEWHERE),
    )
    assert done.problem is None
    root = books.statement("st-elisabeth")
    assert [(one.project, one.rule, one.exact) for one in root.lines] == [
        ("", "", 5),
        ("ct-training", "charge", 3),
        ("ct-training", "rule project-tag", 2),
        ("ct-training", "rule aws-support", Decimal("0.583333333333")),
        ("platform-services", "binding research", 1),
        ("platform-services", "rule aws-support", Decimal("0.116666666667")),
    ]
    assert (root.exact, root.total, root.state) == (Decimal("11.7"), Decimal("11.70"), "provisional")
    radiology = books.statement("radiology")
    assert {one.project for one in radiology.lines} == {"ct-training"}
    (charged,) = [one for one in radiology.lines if one.charge]
    assert charged.decision is not None
    assert charged.asked_by


def test_every_line_of_a_statement_leads_down_to_the_lines_of_the_bill(books: Books) -> None:
    books.finance.send(
        of(ONE, EffectiveCost="3"),
        of(ONE, 11, EffectiveCost="2"),
        line("1", **OWN),
        line("2", **TAGGED),
        line("0.7", **SUPPORT),
        line("5", **ELSEWHERE),
    )
    root = books.statement("st-elisabeth")
    down = {
        (one.project, one.rule): lines_behind(books.engine, books.finance.store, one.posting, 10) for one in root.lines
    }
    numbers = {key: [one["line"] for one in lines] for key, lines in down.items()}
    assert numbers == {
        ("ct-training", "charge"): [1, 2],
        ("platform-services", "binding research"): [3],
        ("ct-training", "rule project-tag"): [4],
        ("ct-training", "rule aws-support"): [5],  # the whole line, of which it has a part
        ("platform-services", "rule aws-support"): [5],
        ("", ""): [6],
    }
    for one in root.lines:
        if not one.rule.endswith("support"):
            assert sum_of(each["EffectiveCost"] for each in down[one.project, one.rule]) == one.exact


def test_the_same_again_makes_no_run_and_a_restated_bill_makes_one(books: Books) -> None:
    books.finance.send(line("1", **OWN))
    first = books.all(AllocationRun)
    books.finance.send(line("1", **OWN))
    assert allocate(books.engine, books.finance.store, NOV, clock.now()) is None
    assert books.all(AllocationRun) == first
    books.finance.send(line("2", **OWN))
    assert len(books.all(AllocationRun)) == 2
    assert books.statement("platform-services").exact == 2


def test_a_reorganisation_changes_an_open_month_and_never_a_closed_one(books: Books) -> None:
    books.finance.send(line("1", **OWN))
    before = books.statement("platform-services")
    reorganise(books.engine)
    assert books.statement("platform-services") == before  # until it is allocated anew
    allocate(books.engine, books.finance.store, NOV, clock.now())
    assert books.statement("pacs").exact == 1
    with reading(books.engine) as session:
        assert statements_of(session, node_named(session, "platform-services"), "2026-11") == []


def reorganise(engine: Engine) -> None:
    """The account's lines are another project's from now on."""
    files = [SourceFile(path.name, path.read_bytes()) for path in sorted(EXAMPLE.iterdir())]
    changed = [
        SourceFile(
            one.name,
            one.content.replace(
                b"account: research\n  project: platform-services", b"account: research\n  project: pacs"
            ),
        )
        for one in files
    ]
    assert changed != files
    apply(engine, changed, Applier(None, "sato"), clock.now())


def test_a_project_that_is_no_more_still_pays_for_what_it_launched(books: Books) -> None:
    with transaction(books.engine) as session:
        session.execute(update(Node).where(col(Node.name) == "ct-training").values(retired_at=AFTER))
    books.finance.send(of(ONE, EffectiveCost="3"), line("1", **OWN))
    for node, projects in (("radiology", 1), ("st-elisabeth", 2)):
        statement = books.statement(node)
        assert [one.exact for one in statement.lines if one.project == "ct-training (retired)"] == [3]
        assert len(statement.projects) == projects


def test_a_month_is_closed_by_somebody_else_and_its_statements_are_numbered(books: Books) -> None:
    books.finance.send(line("1.005", **OWN), line("2.004", **TAGGED))
    books.invoice("3.01")
    books.prepare()
    with pytest.raises(Forbidden, match="somebody else"):
        books.close(books.first)
    closed = books.close()
    issued = books.all(Issued)
    assert closed.statements == len(issued)
    assert [one.number for one in sorted(issued, key=lambda one: one.number)] == list(range(1, len(issued) + 1))
    for one in issued:
        with reading(books.engine) as session:
            name = session.get_one(Node, one.node_id).name
        told = books.statement(name)
        assert (told.total, told.number, told.state) == (one.total, one.number, "closed")
    with pytest.raises(Conflict, match="is closed"):
        books.close()
    audited = [one.action for one in books.all(AuditEvent) if one.action.startswith("billing.")]
    assert audited == ["billing.import", "billing.invoice", "billing.prepare", "billing.close"]


@pytest.mark.parametrize("amount", ["4.02", "1.99"])
def test_an_unexplained_gap_stops_the_close(books: Books, amount: str) -> None:
    books.finance.send(line("3.01", **OWN))
    books.invoice(amount)
    with pytest.raises(UnexplainedGap, match="differs by"):
        books.prepare()
    with transaction(books.engine) as session:
        gap = Decimal(amount) - Decimal("3.01")
        reason = GapReason(
            period="2026-11", issuer=ISSUER, currency="EUR", amount=gap, reason="late", at=AFTER, by=books.first.id
        )
        explain_gap(session, reason, books.first)
    books.prepare()
    books.invoice("9.00")  # replaces it
    with pytest.raises(UnexplainedGap):
        books.close()


def test_without_an_invoice_nothing_is_closed(books: Books) -> None:
    books.finance.send(line("0.10", **OWN))
    with pytest.raises(UnexplainedGap, match="has no invoice"):
        books.prepare()


def test_what_was_looked_at_is_what_is_closed(books: Books) -> None:
    books.finance.send(line("1", **OWN))
    books.invoice("1")
    books.prepare()
    books.finance.send(line("1.5", **OWN))
    with pytest.raises(Conflict, match="allocated anew"):
        books.close()


def test_a_month_is_closed_when_it_has_ended_and_after_those_before_it(books: Books) -> None:
    books.finance.send(line("1", **OWN))
    books.invoice("1")
    with pytest.raises(Conflict, match="has not ended"):
        books.prepare(now=NOV.end.replace(day=30, month=11))
    books.finance.send(line("1", **OWN, **december()), source="aws-december")
    books.invoice("1", DEC, "8")
    with pytest.raises(Conflict, match="2026-11 is still open"):
        books.prepare(DEC, LATER)


def december() -> dict[str, str]:
    return {
        "BillingPeriodStart": "2026-12-01T00:00:00Z",
        "BillingPeriodEnd": "2027-01-01T00:00:00Z",
        "ChargePeriodStart": "2026-12-02T00:00:00Z",
        "ChargePeriodEnd": "2026-12-02T01:00:00Z",
    }


def test_a_late_line_of_a_closed_month_is_a_correction_in_the_open_one(books: Books) -> None:
    books.finance.send(line("1", **OWN), line("2", **TAGGED))
    books.invoice("3")
    books.prepare()
    books.close()
    closed = books.statement("st-elisabeth")
    reorganise(books.engine)  # late lines follow what held for the closed month
    books.finance.send(line("1.25", **OWN), line("2", **TAGGED))
    assert books.statement("st-elisabeth") == closed
    (late,) = books.statement("st-elisabeth", DEC).lines
    assert (late.project, late.exact, late.of_period) == ("platform-services", Decimal("0.25"), "2026-11")
    behind = lines_behind(books.engine, books.finance.store, late.posting, 10)
    assert [one["EffectiveCost"] for one in behind] == [Decimal("1.25")]  # what its month has now
    books.finance.send(line("4", **OWN, **december()), source="aws-december")
    december_ = books.statement("st-elisabeth", DEC)
    assert sorted((one.project, one.exact, one.of_period) for one in december_.lines) == [
        ("pacs", Decimal(4), ""),
        ("platform-services", Decimal("0.25"), "2026-11"),
    ]
    books.invoice("4", DEC, "8")
    books.prepare(DEC, LATER)
    books.close(period=DEC, now=LATER)
    books.finance.send(line("1.5", **OWN), line("2", **TAGGED))
    (again,) = books.statement("st-elisabeth", DEC.following).lines
    assert (again.exact, again.of_period) == (Decimal("0.25"), "2026-11")
    assert total(books) == Decimal("7.5")


def test_who_is_no_more_when_a_correction_comes_still_pays_it(books: Books) -> None:
    books.finance.send(line("1", **OWN))
    books.invoice("1")
    books.prepare()
    books.close()
    reorganise(books.engine)
    with transaction(books.engine) as session:
        session.execute(update(Node).where(col(Node.name) == "platform-services").values(retired_at=AFTER))
    books.finance.send(line("1.25", **OWN))
    (late,) = books.statement("st-elisabeth", DEC).lines
    assert (late.project, late.exact) == ("platform-services (retired)", Decimal("0.25"))


def total(books: Books) -> Decimal:
    """Everything that was ever charged back."""
    with reading(books.engine) as session:
        runs = [run_in_force(session, str(one)) for one in (NOV, DEC, DEC.following)]
        return sum_of(one.effective for run in runs if run for one in postings_of(session, run.id))


def test_nothing_is_half_written_when_the_parts_do_not_sum_up(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.allocate.merged", lambda postings: list(postings)[1:])
    done = books.finance.send(line("1", **OWN), line("2", **TAGGED))
    assert done.problem is not None
    assert "does not balance" in done.problem["title"]
    assert books.all(AllocationRun) == books.all(PostingRow) == []


def test_what_was_allocated_reaches_budgets_with_what_stands_until_the_month_ends(books: Books) -> None:
    books.finance.send(of(ONE, EffectiveCost="1.50"), line("2", **OWN), line("5", **ELSEWHERE))
    spend = {}
    with reading(books.engine) as session:
        for one in session.exec(select(Spend)):
            spend[session.get_one(Node, one.node_id).name] = one
    # g5.xlarge costs 1.12 an hour: ONE from eleven o'clock of the 27th on, TWO from ten, which no line has come for
    rest = Decimal("1.12") * (85 + 86)
    assert (spend["radiology"].spent, spend["radiology"].exposure) == (Decimal("1.50"), Decimal("1.50") + rest)
    assert spend["platform-services"].exposure == 2
    assert (spend["st-elisabeth"].spent, spend["st-elisabeth"].exposure) == (Decimal("8.5"), Decimal("8.5") + rest)
    assert spend["st-elisabeth"].period == "2026-11"


@WITH_SAMPLE
def test_the_sample_of_focus_is_allocated_whole_and_held_against_each_issuer(books: Books) -> None:
    place = books.finance.store.incoming("sample.csv")
    place.write_bytes(SAMPLE.read_bytes())
    done = books.finance.run(IMPORT_FOCUS, {"incoming": "sample.csv", "name": "sample.csv", "source": "sample"})
    assert done.problem is None
    with reading(books.engine) as session:
        run = run_in_force(session, "2024-09")
        assert run is not None
        reconciled, bridges = reconciliation(session, run), bridges_of(session, run)
        postings = postings_of(session, run.id)
    assert len(reconciled) == len(bridges) == 5
    assert {one.invoice for one in reconciled} == {""}  # it names no invoices
    assert sum(one.rows for one in reconciled) == 999
    for one in bridges:
        assert one.effective == one.allocated
        assert sum_of((one.billed, *(step for _, _, step in one.steps))) == one.effective
    assert {one.node for one in postings} == {None}  # nobody here owns it, and it shows
    assert sum_of(one.effective for one in postings) == sum_of(one.effective for one in bridges)
