"""What was reserved at the launch is settled against the bill: by resource, by tag, exactly, on both databases."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from sqlmodel import col, select, update

from billing.tables import CostBatch, CostHead
from governance.audit.tables import AuditEvent
from governance.db.session import reading, transaction
from governance.quota.tables import ChargeResource, SettlementRun
from tests.billing.conftest import HOUR, ONE, START, TWO, Finance, of


def test_an_instance_is_settled_by_its_resource_id_and_leads_back_to_its_decision(finance: Finance) -> None:
    done = finance.send(of(ONE, EffectiveCost="1.10", BilledCost="1.12"), of(ONE, 11, EffectiveCost="1.15"), of("i-0f"))
    assert done.problem is None
    one = finance.settled()[ONE]
    assert (one.estimate, one.actual, one.difference) == (Decimal("2.24"), Decimal("2.25"), Decimal("0.01"))
    assert (one.billed, one.lines, one.currency, one.state) == (Decimal("2.12"), 2, "EUR", "provisional")
    assert one.billed_through == START + 2 * HOUR
    assert one.charge.decision_id is not None
    other = finance.settled()[TWO]
    assert (other.actual, other.lines, other.state) == (Decimal(0), 0, "estimated")
    assert other.billed_through is None


def test_a_tag_beats_the_resource(finance: Finance) -> None:
    charge = finance_charge(finance, TWO)
    finance.send(of(ONE, Tags=f'{{"governance-charge-id": "{charge}"}}', EffectiveCost="3"))
    assert finance.settled()[TWO].actual == 3
    assert finance.settled()[ONE].lines == 0


def finance_charge(finance: Finance, instance: str) -> UUID:
    with reading(finance.engine) as session:
        mine = col(ChargeResource.resource_id).endswith(instance)
        return session.exec(select(ChargeResource.charge_id).where(mine)).one()


def test_a_line_belongs_to_one_charge_though_a_name_returns(finance: Finance) -> None:
    """Azure gives a name again: two charges, one after the other, under one resource id."""
    one, two = finance_charge(finance, ONE), finance_charge(finance, TWO)
    with transaction(finance.engine) as session:
        same = {"resource_id": "/subscriptions/x/vm", "provider": "azure"}
        until, mine = START + 3 * HOUR / 2, col(ChargeResource.charge_id)
        session.execute(update(ChargeResource).where(mine == one).values(**same, valid_to=until))
        session.execute(update(ChargeResource).where(mine == two).values(**same, valid_from=until))
    azure = {"ProviderName": "Microsoft", "ResourceId": "/subscriptions/X/vm"}
    done = finance.send(*({**of(ONE, hour, EffectiveCost="1"), **azure} for hour in (9, 10, 11, 12)))
    assert done.problem is None, done.problem
    assert {name: row.lines for name, row in finance.settled().items()} == {ONE: 2, TWO: 1}
    finance.send({**of(ONE, 9, ChargePeriodEnd="2026-11-27T11:00:00Z"), **azure}, name="another")
    assert {name: row.lines for name, row in finance.settled().items()} == {ONE: 1, TWO: 0}


def test_a_second_import_changes_nothing(finance: Finance) -> None:
    lines = (of(ONE), of(TWO))
    finance.send(*lines)
    before = finance.settled()
    again = finance.send(*lines, name="the same.csv")
    assert again.result is not None
    assert [one["changed"] for one in again.result["periods"]] == [False]
    assert (finance.count(CostBatch), finance.count(CostHead), finance.count(SettlementRun)) == (1, 1, 1)
    assert finance.settled() == before


def test_a_restated_export_replaces_the_month_of_its_source_and_no_other(finance: Finance) -> None:
    finance.send(of(ONE, EffectiveCost="1"))
    finance.send(of(TWO, EffectiveCost="5"), source="aws-other")
    finance.send(of(ONE, EffectiveCost="1.5"), of(ONE, 11, EffectiveCost="1"))
    assert {name: row.actual for name, row in finance.settled().items()} == {ONE: Decimal("2.5"), TWO: 5}
    finance.send(of(ONE, EffectiveCost="1"))  # as it was before
    assert finance.settled()[ONE].actual == 1
    assert (finance.count(CostBatch), finance.count(CostHead), finance.count(SettlementRun)) == (3, 2, 4)


def test_a_refused_file_leaves_everything_as_it_was(finance: Finance) -> None:
    finance.send(of(ONE, EffectiveCost="1"))
    refused = finance.send(of(ONE, EffectiveCost="NaN"), of(TWO, BilledCost="1e309"))
    assert refused.problem is not None
    told = [(one["line"], one["field"]) for one in refused.problem["errors"]]
    assert told == [(2, "EffectiveCost"), (3, "BilledCost")]
    assert finance.settled()[ONE].actual == 1
    assert finance.count(CostBatch) == 1


def test_what_was_put_in_force_stands_in_the_audit_log(finance: Finance) -> None:
    finance.send(of(ONE))
    with reading(finance.engine) as session:
        (event,) = session.exec(select(AuditEvent).where(AuditEvent.action == "billing.import")).all()
    assert (event.actor, event.subject_id) == ("okafor", "aws-main//2026-11")
    assert event.after is not None
    assert event.after["totals"] == {"EUR": {"billed": "1.000000000000", "effective": "0.800000000000"}}


def test_another_currency_is_settled_by_itself(finance: Finance) -> None:
    finance.send(of(ONE, BillingCurrency="USD", EffectiveCost="2"))
    one = finance.settled()[ONE]
    assert (one.currency, one.actual, one.estimate) == ("USD", Decimal(2), Decimal(0))
