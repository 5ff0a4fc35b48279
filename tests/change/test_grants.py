"""Grants: found by admission, used once, made final or given back; on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from governance.audit.tables import AuditEvent
from governance.change.decide import decide
from governance.change.grants import GrantFact, consume_statements, grants_select, pick, settle
from governance.change.model import AS_ASKED, State, Terms
from governance.change.submit import submit
from governance.change.tables import ChangeRequest, Grant
from governance.db.session import transaction
from governance.units import ResourceList
from tests.change.hospital import GPU, NOW, RADIOLOGY, TARGET, UNTIL, Hospital, denial, open_hospital

ASKED = ResourceList({GPU: 8, "requests.cpu": 8000})
DIGEST, SUBJECT = "a" * 64, "s" * 64
SOON = NOW + timedelta(hours=1)


def granted(session: Session, hospital: Hospital, terms: Terms = AS_ASKED) -> ChangeRequest:
    one = denial(hospital, needs=(RADIOLOGY,))
    change = submit(session, one, hospital.people["okafor"], "Backlog.", "", None, UNTIL, NOW)
    decide(session, change.id, hospital.people["haddad"], "approve", "", terms, 1, NOW)
    return change


def rows(session: Session) -> list[dict[str, Any]]:
    return [dict(row) for row in session.connection().execute(grants_select(TARGET)).mappings()]


def found(session: Session, digest: str = DIGEST, after: ResourceList = ASKED, **more: Any) -> GrantFact | None:  # noqa: ANN401
    return pick(
        rows(session), digest, more.get("subject", SUBJECT), after, more.get("now", SOON), more.get("charges", ())
    )


def use(session: Session, grant: GrantFact, charge: UUID, digest: str = DIGEST) -> list[int]:
    return [session.exec(one).rowcount for one in consume_statements(grant, digest, charge, SOON)]


def state_of(session: Session, change: ChangeRequest) -> tuple[str, str]:
    session.expire_all()
    grant = session.exec(select(Grant).where(Grant.change_id == change.id)).one()
    return change.state, grant.state


def test_a_grant_as_asked_answers_the_digest_that_it_was_made_for_and_no_other(engine: Engine) -> None:
    with transaction(engine) as session:
        granted(session, open_hospital(session))
        fact = found(session)
        assert fact is not None
        assert (fact.change, fact.waives, fact.valid_until) == ("CH-1", ("headroom", "approval"), UNTIL)
        assert found(session, "b" * 64) is None
        assert pick([], DIGEST, SUBJECT, ASKED, SOON) is None


@pytest.mark.parametrize(
    ("gpus", "cpu", "fits"),
    [(5, 5000, True), (6, 8000, True), (7, 7000, False), (6, 8001, False)],
)
def test_a_grant_for_less_answers_any_digest_of_its_subject_up_to_its_ceiling(
    engine: Engine, gpus: int, cpu: int, fits: bool
) -> None:
    with transaction(engine) as session:
        hospital = open_hospital(session)
        granted(session, hospital, Terms.at_most(denial(hospital).asks, {GPU: 6}))
        after = ResourceList({GPU: gpus, "requests.cpu": cpu})
        assert (found(session, "b" * 64, after) is not None) is fits
        assert found(session, "b" * 64, after, subject="other") is None


def test_what_was_not_asked_for_is_not_granted_with_less(engine: Engine) -> None:
    with transaction(engine) as session:
        hospital = open_hospital(session)
        granted(session, hospital, Terms.at_most(denial(hospital).asks, {GPU: 6}))
        assert found(session, "b" * 64, ResourceList({GPU: 1, "requests.memory": 1})) is None


def test_a_grant_as_asked_for_is_not_there_before_or_after_its_time(engine: Engine) -> None:
    with transaction(engine) as session:
        granted(session, open_hospital(session))
        assert found(session, now=NOW - timedelta(seconds=1)) is None
        assert found(session, now=NOW) is not None
        assert found(session, now=UNTIL) is None


def test_using_a_grant_twice_for_the_same_charge_is_using_it_once(engine: Engine) -> None:
    charge = uuid4()
    with transaction(engine) as session:
        change = granted(session, open_hospital(session))
        fact = found(session)
        assert fact is not None
        assert use(session, fact, charge) == [1, 1]
        version = session.get_one(ChangeRequest, change.id, populate_existing=True).version
        assert use(session, fact, charge) == [1, 1]
        assert state_of(session, change) == (State.IN_USE, "in_use")
        assert change.version == version
        assert found(session, charges={charge}) is not None
        assert found(session, charges={uuid4()}) is None


def test_a_grant_in_use_serves_no_other_charge_and_no_other_digest(engine: Engine) -> None:
    charge = uuid4()
    with transaction(engine) as session:
        hospital = open_hospital(session)
        granted(session, hospital, Terms.at_most(denial(hospital).asks, {GPU: 6}))
        after = ResourceList({GPU: 5})
        fact = found(session, "b" * 64, after)
        assert fact is not None
        assert use(session, fact, charge, "b" * 64) == [1, 1]
        assert use(session, fact, uuid4(), "b" * 64)[1] == 0
        assert use(session, fact, charge, "c" * 64)[1] == 0
        assert found(session, "c" * 64, after) is None


def test_a_grant_cannot_be_used_after_its_time_though_it_was_found_before(engine: Engine) -> None:
    with transaction(engine) as session:
        granted(session, open_hospital(session))
        fact = found(session)
        assert fact is not None
        _, use_it = consume_statements(fact, DIGEST, uuid4(), UNTIL)
        assert session.exec(use_it).rowcount == 0


def test_a_grant_is_final_when_what_was_admitted_was_seen(engine: Engine) -> None:
    charge = uuid4()
    with transaction(engine) as session:
        change = granted(session, open_hospital(session))
        fact = found(session)
        assert fact is not None
        use(session, fact, charge)
        assert not settle(session, fact.id, uuid4(), SOON, persisted=True)
        assert settle(session, fact.id, charge, SOON, persisted=True)
        assert state_of(session, change) == (State.CLOSED, "consumed")
        assert change.open_digest is None
        assert found(session) is None
        assert use(session, fact, charge) == [0, 0]
        assert not settle(session, fact.id, charge, SOON, persisted=False)
        assert session.exec(select(AuditEvent).where(AuditEvent.action == "change.finish")).one().actor == "governance"


def test_a_grant_is_given_back_when_what_was_admitted_never_came_to_be(engine: Engine) -> None:
    charge = uuid4()
    with transaction(engine) as session:
        change = granted(session, open_hospital(session))
        fact = found(session)
        assert fact is not None
        use(session, fact, charge)
        assert settle(session, fact.id, charge, SOON, persisted=False)
        assert state_of(session, change) == (State.APPROVED, "active")
        assert change.open_digest == DIGEST
        assert found(session) is not None
        assert use(session, fact, uuid4()) == [1, 1]


def test_a_grant_that_is_given_back_too_late_has_failed(engine: Engine) -> None:
    charge = uuid4()
    with transaction(engine) as session:
        change = granted(session, open_hospital(session))
        fact = found(session)
        assert fact is not None
        use(session, fact, charge)
        assert settle(session, fact.id, charge, UNTIL, persisted=False)
        assert state_of(session, change) == (State.FAILED, "expired")
        assert change.open_digest is None
