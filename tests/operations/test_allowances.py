"""Whoever an allowance was for is told when it ends, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlmodel import col

from governance import clock
from governance.change.model import Terms
from governance.db.session import reading, transaction
from governance.identity.people import person_by_name
from governance.identity.tables import Node
from governance.notify.tables import OutboxMessage
from governance.notify.texts import render
from governance.operations.allowances import end_due
from governance.quota.limits import end_allowances
from governance.quota.tables import Allowance
from tests.admission.conftest import GPU, Hospital, approve, create, training


def over_its_limit(hospital: Hospital) -> datetime:
    """20 GPUs where radiology may have 17, by an allowance that holds until tomorrow."""
    until = clock.now() + timedelta(days=1)
    wish = create(training(20))
    approve(hospital, hospital.ask(wish), Terms(until=until))
    assert hospital.ask(wish).allowed
    return until


def messages(hospital: Hospital) -> list[OutboxMessage]:
    with reading(hospital.engine) as session:
        query = select(OutboxMessage).where(col(OutboxMessage.topic) == "allowance.ended")
        return list(session.scalars(query.order_by(col(OutboxMessage.channel), col(OutboxMessage.receiver))))


def own(hospital: Hospital, owners: Mapping[str, str | None]) -> None:
    with transaction(hospital.engine) as session:
        for name, person in owners.items():
            owner = person_by_name(session, person).id if person else None
            session.connection().execute(update(Node).where(col(Node.name) == name).values(owner_id=owner))


def mailed(hospital: Hospital) -> list[str]:
    return [one.receiver.partition("@")[0] for one in messages(hospital) if one.channel == "email"]


def test_who_asked_and_who_owns_the_project_are_told_what_stands_above_the_limit_now(hospital: Hospital) -> None:
    until = over_its_limit(hospital)
    own(hospital, {"ct-training": "haddad", "radiology": None})
    assert end_due(hospital.engine, until - timedelta(seconds=1)) == 0
    assert messages(hospital) == []
    assert end_due(hospital.engine, until) == 1
    told = messages(hospital)
    receivers = [(one.channel, one.receiver.partition("@")[0], one.subject_id) for one in told]
    assert receivers == [("email", "haddad", "CH-1"), ("email", "okafor", "CH-1"), ("webhook", "outbound", "CH-1")]
    assert told[2].payload["allowed"] == [{"node": "Radiology", "resource": GPU, "amount": 3, "used": 20, "limit": 17}]
    text = render("allowance.ended", told[0].payload, "https://governance.example")
    said = " ".join(text.paragraphs)
    assert "M. Lindqvist allowed 3\u00a0GPUs at Radiology above the limit" in said
    assert "Radiology takes 20 of 17\u00a0GPUs: 3\u00a0GPUs above its limit." in said
    assert text.link == "https://governance.example/changes/CH-1"


def test_a_project_without_an_owner_has_that_of_its_department(hospital: Hospital) -> None:
    """The nearest of those above wins, and whoever owns what was exceeded is told too; nobody twice."""
    until = over_its_limit(hospital)
    own(hospital, {"ct-training": None, "radiology": "lindqvist", "imaging": "haddad"})
    assert end_due(hospital.engine, until) == 1
    assert mailed(hospital) == ["lindqvist", "okafor"]


def test_the_owner_of_a_department_is_told_when_its_limit_stays_exceeded(hospital: Hospital) -> None:
    until = over_its_limit(hospital)
    own(hospital, {"ct-training": "okafor", "radiology": None, "imaging": "haddad"})
    assert end_due(hospital.engine, until) == 1
    assert mailed(hospital) == ["haddad", "okafor"]


def test_it_is_told_once(hospital: Hospital) -> None:
    until = over_its_limit(hospital)
    assert (end_due(hospital.engine, until), end_due(hospital.engine, until)) == (1, 0)
    assert [one.channel for one in messages(hospital)] == ["email", "email", "webhook"]


def test_what_cannot_be_told_does_not_end(hospital: Hospital) -> None:
    """Both or neither: a transaction that breaks off leaves the allowance as it was."""
    until = over_its_limit(hospital)
    with transaction(hospital.engine) as session:
        assert len(end_allowances(session, until)) == 1
        session.rollback()
    with reading(hospital.engine) as session:
        assert session.scalars(select(col(Allowance.ended_at))).all() == [None]
    assert end_due(hospital.engine, until) == 1
