"""Many at once: one number each, one change per digest, one decision per version, one use per grant."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import Engine
from sqlmodel import select

from governance.change.decide import decide
from governance.change.endings import revoke
from governance.change.grants import consume_statements, grants_select, pick
from governance.change.model import AS_ASKED, State
from governance.change.submit import submit
from governance.change.tables import ChangeRequest, Grant, Review
from governance.db.session import reading, transaction
from governance.errors import Conflict, Forbidden, StaleVersion
from governance.policy.model import Need
from governance.units import ResourceList
from tests.change.hospital import GPU, NOW, RADIOLOGY, TARGET, UNTIL, Hospital, denial, open_hospital

SOON = NOW + timedelta(hours=1)


def at_once(work: Callable[[int], object], times: int) -> list[object]:
    """What each of the threads returned, or the error that it raised; all begin together."""
    together = threading.Barrier(times)
    results: list[object] = [None] * times

    def run(n: int) -> None:
        together.wait(30)
        try:
            results[n] = work(n)
        except Exception as error:  # noqa: BLE001  (looked at by the test)
            results[n] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


def opened(engine: Engine) -> Hospital:
    with transaction(engine) as session:
        return open_hospital(session)


def ask(
    engine: Engine, hospital: Hospital, digest: str = "a" * 64, needs: tuple[Need, ...] = (RADIOLOGY,)
) -> ChangeRequest:
    with transaction(engine) as session:
        one = denial(hospital, digest=digest, needs=needs)
        return submit(session, one, hospital.people["okafor"], "Why.", "", None, UNTIL, NOW)


def say(engine: Engine, hospital: Hospital, change: ChangeRequest, person: str) -> object:
    with transaction(engine) as session:
        return decide(session, change.id, hospital.people[person], "approve", "", AS_ASKED, 1, NOW).grant


def test_the_same_wish_submitted_many_times_at_once_is_one_change(engine: Engine) -> None:
    hospital = opened(engine)
    results = at_once(lambda _: ask(engine, hospital).id, 8)
    assert len(set(results)) == 1
    assert isinstance(results[0], UUID)


def test_many_wishes_at_once_are_numbered_without_a_gap(engine: Engine) -> None:
    hospital = opened(engine)
    results = at_once(lambda n: ask(engine, hospital, f"{n:064x}").number, 8)
    assert sorted(results, key=str) == list(range(1, 9))


def test_of_two_who_decide_on_the_same_version_one_is_first(engine: Engine) -> None:
    hospital = opened(engine)
    change = ask(engine, hospital)
    results = at_once(lambda n: say(engine, hospital, change, ("haddad", "berg")[n]), 2)
    assert sorted(type(result).__name__ for result in results) == ["Grant", "StaleVersion"]
    with reading(engine) as session:
        assert len(session.exec(select(Review)).all()) == 1
        assert len(session.exec(select(Grant)).all()) == 1


def test_a_double_click_is_one_review_and_one_grant(engine: Engine) -> None:
    hospital = opened(engine)
    change = ask(engine, hospital)
    results = at_once(lambda _: say(engine, hospital, change, "haddad"), 4)
    assert not [result for result in results if isinstance(result, Exception)]
    assert len([result for result in results if result is not None]) == 1
    with reading(engine) as session:
        assert len(session.exec(select(Review)).all()) == 1


def use(engine: Engine, charge: UUID) -> bool:
    """As admission does: read, then write only if each statement changes one row; `charge` waits to be seen."""
    after = ResourceList({GPU: 8, "requests.cpu": 8000})
    with reading(engine) as session:
        rows = [dict(row) for row in session.connection().execute(grants_select(TARGET)).mappings()]
    fact = pick(rows, "a" * 64, "s" * 64, after, SOON, (charge,))
    if fact is None:
        return False
    with transaction(engine) as session:
        for statement in consume_statements(fact, "a" * 64, charge, SOON):
            if session.exec(statement).rowcount != 1:
                session.rollback()
                return False
    return True


def test_a_grant_is_used_by_one_of_many_charges(engine: Engine) -> None:
    hospital = opened(engine)
    say(engine, hospital, ask(engine, hospital), "haddad")
    assert at_once(lambda _: use(engine, uuid4()), 8).count(True) == 1


def test_a_grant_is_used_by_all_repetitions_for_one_charge(engine: Engine) -> None:
    hospital, charge = opened(engine), uuid4()
    change = ask(engine, hospital)
    say(engine, hospital, change, "haddad")
    assert at_once(lambda _: use(engine, charge), 8) == [True] * 8
    with reading(engine) as session:
        assert session.get_one(ChangeRequest, change.id).version == 3  # submitted, approved, in use: each once


def test_a_grant_is_either_used_or_revoked(engine: Engine) -> None:
    hospital = opened(engine)
    change = ask(engine, hospital)
    say(engine, hospital, change, "haddad")

    def take_back() -> str:
        with transaction(engine) as session:
            return revoke(session, change.id, hospital.people["haddad"], "No room.", 2, NOW).state

    used, revoked = at_once(lambda n: use(engine, uuid4()) if n == 0 else take_back(), 2)
    with reading(engine) as session:
        state = session.exec(select(Grant)).one().state
    if used is True:
        assert isinstance(revoked, StaleVersion | Conflict)
        assert state == "in_use"
    else:
        assert (used, revoked, state) == (False, State.REVOKED, "revoked")


def test_nobody_decides_what_was_decided_before_they_looked_again(engine: Engine) -> None:
    hospital = opened(engine)
    change = ask(engine, hospital)
    say(engine, hospital, change, "haddad")
    (result,) = at_once(lambda _: say(engine, hospital, change, "stranger"), 1)
    assert isinstance(result, StaleVersion | Forbidden)
