"""An admission is answered inside its time, whatever PostgreSQL's own timeouts are: locks, and no free connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from governance import clock
from governance.admission import admit as admitting
from governance.admission.admit import admit
from governance.admission.model import Decision, Request
from governance.change.model import Terms
from governance.db.session import lane_of, transaction
from governance.errors import DatabaseUnavailable
from governance.quota.tables import Charge, Usage
from tests.admission.conftest import GPU, Hospital, approve, create, scale, training
from tests.parts.process import wait_until

pytestmark = [
    pytest.mark.real,
    pytest.mark.parametrize("dialect", ["postgresql"], indirect=True),
]

TIME_S = 0.6  # less than PostgreSQL gives a statement, and than the pool waits
SLACK_S = 1.0


@contextmanager
def locked(engine: Engine, column: Any) -> Iterator[None]:  # noqa: ANN401  (of a table)
    """Somebody else keeps every row of a table."""
    with engine.connect() as other:
        other.execute(select(column).with_for_update())
        yield
        other.rollback()


def timed(hospital: Hospital, request: Request) -> tuple[float, Decision]:
    begun = time.monotonic()
    decision = admit(hospital.admission, request, begun + TIME_S)
    return time.monotonic() - begun, decision


def denied_in_time(hospital: Hospital, request: Request) -> None:
    took_s, decision = timed(hospital, request)
    assert not decision.allowed
    assert [one.code for one in decision.violations] in (["database-unavailable"], ["contended"])
    assert took_s < TIME_S + SLACK_S


def test_a_granted_reservation_is_given_up_while_somebody_holds_the_lock(hospital: Hospital) -> None:
    wish = create(training(18))
    approve(hospital, hospital.ask(wish), Terms(until=clock.now() + timedelta(days=1)))
    with locked(hospital.engine, Usage.used):
        denied_in_time(hospital, wish)
    assert hospital.used("ct-training", GPU) == 0
    assert hospital.ask(wish).allowed  # the grant is there still
    assert hospital.used("ct-training", GPU) == 18


def test_a_forced_reservation_is_given_up_too(hospital: Hospital) -> None:
    hospital.switch("observe")
    with locked(hospital.engine, Usage.used):
        denied_in_time(hospital, create(training(1)))
    assert hospital.used("ct-training", GPU) == 0


def test_a_locked_attempt_is_given_up_too(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create(training(1))
    assert hospital.ask(made).allowed
    monkeypatch.setattr(admitting, "_UNLOCKED_MAX", 0)
    monkeypatch.setattr(admitting, "_attempt", lambda *_: None)  # every one of them was overtaken
    with locked(hospital.engine, Charge.id):
        denied_in_time(hospital, scale(made, 3))
    assert hospital.used("ct-training", GPU) == 1


@pytest.mark.parametrize("which", ["lane", "everything else"])
def test_nobody_waits_for_a_connection_beyond_their_time(hospital: Hospital, which: str) -> None:
    hospital.switch("observe")
    lane = lane_of(hospital.engine)
    assert lane is not None
    engine = lane._engine if which == "lane" else hospital.engine
    assert hospital.ask(create(training(1))).allowed
    with ExitStack() as taken:
        for _ in range(engine.pool.size()):  # type: ignore[attr-defined]  # a queue has a size
            taken.enter_context(engine.connect())
        denied_in_time(hospital, create(training(1), name="second"))


def test_a_transaction_that_is_late_before_it_begins_a_statement_sends_none(hospital: Hospital) -> None:
    ends = time.monotonic() + 0.05
    with transaction(hospital.engine, ends) as session:
        session.execute(text("SELECT 1"))
        wait_until(lambda: time.monotonic() > ends, "the time is over")
        with pytest.raises(DatabaseUnavailable, match="longer than there was time"):
            session.execute(text("SELECT 1"))
