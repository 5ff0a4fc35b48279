"""Switching a cluster to warn and back, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from governance.admission.model import Request
from governance.audit.tables import AuditEvent
from governance.db.session import reading, transaction
from governance.db.together import database_time
from governance.errors import BadInput, Conflict, NotFound
from governance.identity.model import Principal
from governance.operations import switch
from governance.operations.clusters import Standing, Warned, standing, standings
from governance.quota.tables import Breach, ChargeObject, Scope
from tests.admission.conftest import CLUSTER, GPU, Hospital, create, scale, training

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def warn(hospital: Hospital, by: Principal, time: timedelta = HOUR, reason: str = "The archive moves.") -> Standing:
    with transaction(hospital.engine) as session:
        return switch.warn(session, CLUSTER, time, reason, by, longest=DAY, request_id="r-1")


def enforce(hospital: Hospital, by: Principal) -> Standing:
    with transaction(hospital.engine) as session:
        return switch.enforce(session, CLUSTER, "It moved.", by)


def now(hospital: Hospital) -> datetime:
    with reading(hospital.engine) as session:
        return database_time(session)


def end_of_time(hospital: Hospital) -> None:
    """Let the time of the switch be over."""
    with transaction(hospital.engine) as session:
        over = database_time(session) - timedelta(microseconds=1)
        session.connection().execute(update(Scope).where(col(Scope.name) == CLUSTER).values(warn_until=over))


def events(hospital: Hospital) -> list[AuditEvent]:
    with reading(hospital.engine) as session:
        query = select(AuditEvent).where(col(AuditEvent.subject_kind) == "cluster").order_by(col(AuditEvent.id))
        return list(session.scalars(query))


def test_a_cluster_that_warns_lets_pass_what_it_would_deny_says_so_and_charges_it(
    hospital: Hospital, sato: Principal
) -> None:
    warn(hospital, sato)
    passed = hospital.ask(create(training(30)))
    assert passed.allowed
    assert any("requested 30, used 0, limit 17 of radiology" in one for one in passed.sentences)
    assert hospital.used("radiology", GPU) == 30
    with reading(hospital.engine) as session:
        assert 13 in session.scalars(select(col(Breach.over)).where(col(Breach.resource) == GPU)).all()


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param(scale(create(training(2)), 3), id="a workload that cannot be read"),
        pytest.param(replace(create(training(2)), unknown="not read yet: nodes"), id="one that cannot be counted"),
    ],
)
def test_what_is_not_known_passes_a_cluster_that_warns(hospital: Hospital, sato: Principal, wish: Request) -> None:
    assert not hospital.ask(wish).allowed
    warn(hospital, sato)
    passed = hospital.ask(wish)
    assert (passed.allowed, [one.code for one in passed.warnings]) == (True, ["workload-unknown"])


def test_it_enforces_again_by_itself_when_the_time_is_over(hospital: Hospital, sato: Principal) -> None:
    standing_now = warn(hospital, sato)
    assert standing_now.mode == "warn"
    end_of_time(hospital)
    assert not hospital.ask(create(training(30))).allowed
    with reading(hospital.engine) as session:
        after = standing(session, CLUSTER)
    assert (after.mode, after.warned) == ("enforce", None)


def test_it_enforces_again_when_somebody_says_so(hospital: Hospital, sato: Principal) -> None:
    warn(hospital, sato)
    assert (enforce(hospital, sato).mode, enforce(hospital, sato).warned) == ("enforce", None)
    assert not hospital.ask(create(training(30))).allowed


def test_both_stand_in_the_audit_log_with_before_and_after(hospital: Hospital, sato: Principal) -> None:
    before = now(hospital)
    warned = warn(hospital, sato).warned
    assert warned is not None
    assert before + HOUR <= warned.until <= now(hospital) + HOUR
    enforce(hospital, sato)
    enforce(hospital, sato)  # it does already: nothing happens
    until = warned.until.isoformat()
    told = [(one.actor, one.action, one.subject_id, one.reason, one.before, one.after) for one in events(hospital)]
    enforcing, warning = {"mode": "enforce", "warn_until": None}, {"mode": "warn", "warn_until": until}
    assert told == [
        ("sato", "cluster.warn", CLUSTER, "The archive moves.", enforcing, warning),
        ("sato", "cluster.enforce", CLUSTER, "It moved.", warning, enforcing),
    ]
    assert events(hospital)[0].request_id == "r-1"


def test_a_switch_that_holds_is_made_anew(hospital: Hospital, sato: Principal) -> None:
    first, second = warn(hospital, sato, DAY).warned, warn(hospital, sato, HOUR, "Sooner.").warned
    assert first is not None
    assert second is not None
    assert second.until < first.until
    assert (second.by, second.reason) == (sato.display_name, "Sooner.")


@pytest.mark.parametrize(
    ("time", "reason", "field"),
    [
        (DAY + timedelta(minutes=1), "Why.", "minutes"),
        (timedelta(), "Why.", "minutes"),
        (HOUR, " ", "reason"),
        (HOUR, "x" * 2001, "reason"),
    ],
)
def test_a_time_that_is_too_long_and_no_reason_are_refused(
    hospital: Hospital, sato: Principal, time: timedelta, reason: str, field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        warn(hospital, sato, time, reason)
    assert refused.value.field == field
    assert events(hospital) == []


def test_a_cluster_that_observes_cannot_be_switched(hospital: Hospital, sato: Principal) -> None:
    hospital.switch("observe")
    for act in (warn, enforce):
        with pytest.raises(Conflict, match="observes"):
            act(hospital, sato)
    assert events(hospital) == []


def test_a_cluster_that_nobody_named_is_not_found(hospital: Hospital, sato: Principal) -> None:
    with transaction(hospital.engine) as session:
        with pytest.raises(NotFound):
            switch.enforce(session, "elsewhere", "Why.", sato)
        with pytest.raises(NotFound):
            standing(session, "elsewhere")


def test_how_a_cluster_stands(hospital: Hospital, sato: Principal) -> None:
    moment = now(hospital)
    hospital.ask(create(training(1)))
    with transaction(hospital.engine) as session:
        row = session.get_one(Scope, CLUSTER)
        row.writer, row.writer_until, row.relisted_at = "worker-1/7", moment + HOUR, moment
        session.add(row)
    warned = warn(hospital, sato).warned
    assert isinstance(warned, Warned)
    with reading(hospital.engine) as session:
        shown = standing(session, CLUSTER)
        listed = {one.name: one for one in standings(session)}
    assert shown == Standing(CLUSTER, "warn", warned, "worker-1/7", moment + HOUR, moment, 1, 0)
    assert listed[CLUSTER] == shown
    assert listed["burst-cloud-1"].followed_by is None


def test_pendings_past_their_deadline_are_counted(hospital: Hospital) -> None:
    hospital.ask(create(training(1)))
    with transaction(hospital.engine) as session:
        late = database_time(session) - timedelta(seconds=30)
        session.connection().execute(update(ChargeObject).values(deadline=late))
    with reading(hospital.engine) as session:
        assert standing(session, CLUSTER).overdue == 1
        assert [one.overdue for one in standings(session) if one.name == CLUSTER] == [1]
        assert [one.overdue for one in standings(session, grace=timedelta(minutes=1))] == [0, 0]
