"""Many threads and several processes for the last unit, one of them killed on the way: none too much, none lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, func
from sqlmodel import col, select

from governance.bootstrap import metadata
from governance.db.session import make_engine, reading
from governance.errors import DatabaseUnavailable
from governance.quota.ledger import Reservation, reserve
from governance.quota.limits import Limit
from governance.quota.model import Known
from governance.quota.plan import ObjectRef
from governance.quota.propose import propose
from governance.quota.tables import Charge, Usage
from governance.quota.write import Moved, Refused, Reserved
from governance.settings import Database
from tests.parts import postgres
from tests.quota.hospital import CPU, LATER, NOW, Hospital, charged, declares, found, is_sound, known, limit, ref

PROJECTS = ("ct", "mri")


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Database]:
    """PostgreSQL as in production: what it has committed survives."""
    with postgres.start(tmp_path, durable=True) as server:
        yield Database(url=server.url, pool_size=24)


def open_for(database: Database, units: int) -> tuple[Engine, Hospital]:
    """radiology may take so many units; its projects ct and mri race for them."""
    engine = make_engine(database)
    metadata.create_all(engine)
    hospital = found(engine)
    limit(engine, Limit(hospital.radiology, CPU, units, rule="radiology"))
    return engine, hospital


def attempt(engine: Engine, facts: dict[str, Known], number: int) -> bool | None:
    """One pod of one unit. None: nobody knows, for the database was gone before it answered."""
    namespace = PROJECTS[number % len(PROJECTS)]
    one: ObjectRef = ref(f"pod-{os.getpid()}-{number}", "core/pods", namespace=namespace)
    for _ in range(50):
        proposal = propose(
            facts[namespace], one, declares(1, 1, "core/pods"), base_version="", content=one.uid, deadline=LATER
        )
        try:
            written = reserve(engine, Reservation(proposal, now=NOW))
        except DatabaseUnavailable:
            return None
        if isinstance(written, Reserved | Refused):
            return isinstance(written, Reserved)
        assert isinstance(written, Moved)
    raise AssertionError("moved fifty times, though nobody else writes this object")


def many(database: Database, threads: int, attempts: int, answers: multiprocessing.Queue[int]) -> None:
    """A process of its own: so many attempts in so many threads, and how many were admitted."""
    engine = make_engine(database)
    facts = {name: known(engine, ref("any", namespace=name)) for name in PROJECTS}
    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(lambda number: attempt(engine, facts, number), range(attempts)))
    engine.dispose()
    answers.put(results.count(True))


def assert_exact(engine: Engine, hospital: Hospital, units: int) -> None:
    """No overshoot, no unit left while somebody was refused, and every total is what the charges add up to."""
    with reading(engine) as session:
        charges = session.exec(select(func.count()).select_from(Charge).where(col(Charge.state) == "held")).one()
        below = sum(charged(session, name)[CPU] for name in PROJECTS)
    assert charges == below == taken(engine, hospital) == units
    assert is_sound(engine)


def taken(engine: Engine, hospital: Hospital) -> int:
    with reading(engine) as session:
        statement = select(Usage.used).where(Usage.node_id == hospital.radiology, Usage.resource == CPU)
        return session.exec(statement).one()


@pytest.mark.real
def test_three_processes_race_for_the_last_unit_and_one_is_killed(durable: Database) -> None:
    """64 threads; those who live on make 10,000 attempts. What the killed one had committed is charged, once."""
    engine, hospital = open_for(durable, units=1000)
    spawn = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[int] = spawn.Queue()
    shares = ((22, 5000), (21, 5000), (21, 5000))
    racers = [spawn.Process(target=many, args=(durable, threads, share, answers)) for threads, share in shares]
    for one in racers:
        one.start()
    try:
        while taken(engine, hospital) < 100:
            time.sleep(0.01)
        assert racers[0].pid is not None
        os.kill(racers[0].pid, signal.SIGKILL)
        left = [answers.get(timeout=200) for _ in racers[1:]]
    finally:
        for one in racers:
            one.join(10)
            one.kill()
            one.join()
    assert [one.exitcode for one in racers] == [-signal.SIGKILL, 0, 0]
    assert 0 < sum(left) <= 1000
    assert_exact(engine, hospital, 1000)
    engine.dispose()


def test_many_threads_race_for_the_last_unit_on_sqlite(tmp_path: Path) -> None:
    engine, hospital = open_for(Database(url=f"sqlite:///{tmp_path}/ledger.db"), units=100)
    facts = {name: known(engine, ref("any", namespace=name)) for name in PROJECTS}
    with ThreadPoolExecutor(32) as pool:
        results = list(pool.map(lambda number: attempt(engine, facts, number), range(400)))
    assert results.count(True) <= 100
    assert_exact(engine, hospital, 100)
    engine.dispose()
