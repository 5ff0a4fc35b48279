"""What was spent, as allocated, reaches a budget: then more is denied, or needs an approval; on both databases."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update
from sqlmodel import select

from governance.admission.model import Decision
from governance.budget.spend import Spent, report
from governance.budget.tables import Budget, Spend
from governance.change.model import show_number
from governance.change.tables import ChangeRequest
from governance.clock import now
from governance.db.session import reading, transaction
from governance.identity.organisation import node_named
from governance.identity.people import person_by_name, principal_of
from governance.units import Period
from governance.web.queries.changes import change_page
from governance.web.queries.decisions import decision_page
from governance.web.reader import reader_of
from tests.admission.conftest import Hospital, approve, create, hospital, policy, scale, training

__all__ = ["hospital", "policy"]

MONTH = Period.parse(now().strftime("%Y-%m"))


def spend(hospital: Hospital, exposure: str, *, node: str = "radiology", period: Period = MONTH, **more: str) -> None:
    with transaction(hospital.engine) as session:
        id_ = node_named(session, node).id
        amount = Decimal(exposure)
        report(session, period, [Spent(id_, more.get("currency", "EUR"), amount / 2, amount)], now())


def reached(hospital: Hospital, how: str) -> None:
    with transaction(hospital.engine) as session:
        session.execute(update(Budget).values(reached=how))


def codes(decision: Decision) -> list[str]:
    return [one.code for one in decision.violations]


def test_a_budget_that_is_reached_denies_with_its_numbers_and_nobody_can_except_it(hospital: Hospital) -> None:
    reached(hospital, "deny")
    spend(hospital, "40000")
    denied = hospital.ask(create(training(1)))
    said = "radiology comes to 40,000.00 EUR this month, of a budget of 40,000.00 EUR (as of "
    assert denied.sentences[0].startswith(said)
    assert (codes(denied), denied.askable) == (["budget"], False)
    spend(hospital, "39999.999999")
    assert hospital.ask(create(training(1))).allowed


def test_a_fraction_of_a_millionth_counts(hospital: Hospital) -> None:
    reached(hospital, "deny")
    spend(hospital, "39999.9999990001")
    assert codes(hospital.ask(create(training(1)))) == ["budget"]


def test_where_an_approval_is_asked_for_it_lets_that_one_in(hospital: Hospital) -> None:
    spend(hospital, "50000")
    asked = create(training(1))
    denied = hospital.ask(asked)
    assert (codes(denied), denied.askable) == (["budget-approval"], True)
    assert [one.group for one in denied.approvals] == ["approver@radiology"]
    approve(hospital, denied)
    assert hospital.ask(asked).allowed
    assert codes(hospital.ask(create(training(1), name="another"))) == ["budget-approval"]


def test_what_runs_goes_on_and_what_falls_passes(hospital: Hospital) -> None:
    reached(hospital, "deny")
    made = create(training(2))
    assert hospital.ask(made).allowed
    spend(hospital, "50000")
    assert codes(hospital.ask(scale(made, 3))) == ["budget"]
    assert hospital.ask(scale(made, 1)).allowed


@pytest.mark.parametrize(
    ("node", "currency", "period"),
    [
        ("pathology", "EUR", MONTH),  # another department
        ("radiology", "USD", MONTH),  # another currency
        ("radiology", "EUR", MONTH.following),  # another month
    ],
)
def test_what_does_not_count_towards_it(hospital: Hospital, node: str, currency: str, period: Period) -> None:
    spend(hospital, "90000", node=node, currency=currency, period=period)
    assert hospital.ask(create(training(1))).allowed


def test_where_more_was_given_back_than_charged_nothing_was_spent(hospital: Hospital) -> None:
    spend(hospital, "-5")
    assert hospital.ask(create(training(1))).allowed


def test_a_report_takes_the_place_of_the_one_before(hospital: Hospital) -> None:
    spend(hospital, "1")
    spend(hospital, "2", node="pathology")
    with reading(hospital.engine) as session:
        (kept,) = session.exec(select(Spend)).all()
    assert (kept.exposure, kept.spent) == (Decimal(2), Decimal(1))
    assert now() - kept.as_of < timedelta(minutes=1)


def test_the_page_of_a_decision_tells_the_budget_and_its_change_says_so(hospital: Hospital) -> None:
    spend(hospital, "50000")
    denied = hospital.ask(create(training(1)))
    approve(hospital, denied)
    with reading(hospital.engine) as session:
        reader = reader_of(principal_of(session, person_by_name(session, "lindqvist"), now()), now())
        page = decision_page(session, reader, str(denied.id), {})
        (change,) = session.exec(select(ChangeRequest)).all()
        chips = change_page(session, reader, show_number(change.number)).chips
    told = [(one.name, one.value, one.detail) for one in page.known if one.name == "Budget"]
    assert told == [("Budget", "radiology", "50000 of 40000 EUR by the end of the month, at radiology")]
    assert "over the budget" in {one.word for one in chips}
