"""What is forgotten, and what is kept, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text, update
from sqlmodel import col, select

from governance.db.session import reading, transaction
from governance.quota.plan import ObjectRef
from governance.quota.prune import KEPT, prune
from governance.quota.tables import Charge, ChargeObject
from tests.quota.hospital import (
    NOW,
    POD,
    REPLICASET,
    Hospital,
    admit,
    declares,
    found,
    is_sound,
    known,
    ref,
    see,
    states,
    used,
)

LONG_AFTER = NOW + KEPT + timedelta(microseconds=1)  # everything in these tests is seen at NOW


@pytest.fixture(autouse=True)
def hospital(engine: Engine) -> Hospital:
    return found(engine)


def left(engine: Engine) -> set[str]:
    """The names of the objects that the ledger knows."""
    with reading(engine) as session:
        return set(session.exec(select(ChargeObject.name)))


def workload(engine: Engine) -> tuple[ObjectRef, ObjectRef, ObjectRef]:
    """A Deployment with a ReplicaSet and a pod."""
    web = ref("web")
    replicas = ref("web-1", REPLICASET, owner=web.uid)
    pod = ref("web-1-a", POD, owner=replicas.uid)
    see(engine, web, 1, declares(1))
    see(engine, replicas, 2, declares(1, kind=REPLICASET))
    see(engine, pod, 3, declares(1, kind=POD))
    return web, replicas, pod


def test_a_pod_of_a_workload_that_lives_is_forgotten_a_day_after_it_is_gone(engine: Engine) -> None:
    web, replicas, pod = workload(engine)
    see(engine, pod, 4, None)
    assert prune(engine, NOW + KEPT) == 0
    assert prune(engine, LONG_AFTER) == 1
    assert left(engine) == {"web", "web-1"}
    assert used(engine)["ct"] == 1000
    see(engine, ref("web-1-b", POD, owner=replicas.uid), 5, declares(1, kind=POD))
    see(engine, web, 6, declares(3))
    assert used(engine)["ct"] == 3000
    assert is_sound(engine)


def test_what_lives_is_never_forgotten(engine: Engine) -> None:
    workload(engine)
    admit(engine, ref("held"), declares(1))
    assert prune(engine, LONG_AFTER) == 0


def test_a_root_stays_while_something_below_it_lives_and_its_charge_for_ever(engine: Engine) -> None:
    web, replicas, pod = workload(engine)
    see(engine, web, 4, None)
    assert prune(engine, LONG_AFTER) == 0
    see(engine, replicas, 5, None)
    assert prune(engine, LONG_AFTER) == 0
    assert used(engine)["ct"] == 1000
    see(engine, pod, 6, None)
    assert [prune(engine, LONG_AFTER) for _ in range(4)] == [1, 1, 1, 0]
    assert left(engine) == set()
    assert states(engine) == {web.uid: "released"}
    assert is_sound(engine)


def test_a_root_stays_while_another_object_belongs_to_its_charge(engine: Engine) -> None:
    web, other = ref("web"), ref("other")
    see(engine, web, 1, declares(1))
    see(engine, other, 2, declares(1))
    see(engine, web, 3, None)
    with transaction(engine) as session:
        charge = session.exec(select(Charge.id).where(Charge.incarnation == web.uid)).one()
        moved = update(ChargeObject).where(col(ChargeObject.uid) == other.uid)
        session.connection().execute(moved.values(charge_id=charge))
    assert prune(engine, LONG_AFTER) == 0


@pytest.mark.parametrize("state", ["held", "confirmed"])
def test_the_root_of_a_live_charge_stays(engine: Engine, state: str) -> None:
    web = ref("web")
    see(engine, web, 1, declares(1))
    see(engine, web, 2, None)
    with transaction(engine) as session:
        session.connection().execute(update(Charge).values(state=state))
    assert prune(engine, LONG_AFTER) == 0


def test_what_waits_to_be_seen_stays(engine: Engine) -> None:
    web = ref("web")
    see(engine, web, 1, declares(1))
    see(engine, web, 2, None)
    with transaction(engine) as session:
        session.connection().execute(update(ChargeObject).values(deadline=NOW))
    assert prune(engine, LONG_AFTER) == 0


def test_the_same_uid_in_another_cluster_keeps_nothing(engine: Engine) -> None:
    web = ref("web")
    see(engine, web, 1, declares(1))
    see(engine, web, 2, None)
    with transaction(engine) as session:
        live = session.exec(select(Charge)).one()
        row = {name: getattr(live, name) for name in Charge.model_fields if name != "id"}
        session.add(Charge(**{**row, "scope": "other", "state": "held"}))
    assert prune(engine, LONG_AFTER) == 1


def test_what_was_forgotten_and_is_there_all_the_same_is_charged_again(engine: Engine) -> None:
    web, _, pod = workload(engine)
    see(engine, pod, 4, None)
    lone = ref("lone")
    see(engine, lone, 5, declares(2))
    see(engine, lone, 6, None)
    assert prune(engine, LONG_AFTER) == 2
    see(engine, lone, 7, declares(2))
    see(engine, pod, 8, declares(1, kind=POD))
    assert used(engine)["ct"] == 3000
    assert known(engine, lone).objects[lone.uid].gone is False
    see(engine, lone, 9, None)
    assert used(engine)["ct"] == 1000
    assert states(engine) == {web.uid: "confirmed", lone.uid: "released"}
    assert is_sound(engine)


def test_many_are_forgotten_a_few_at_a_time(engine: Engine) -> None:
    for number in range(5):
        one = ref(f"job-{number}")
        see(engine, one, 2 * number + 1, declares(1))
        see(engine, one, 2 * number + 2, None)
    counts: list[int] = []
    event.listen(
        engine,
        "after_cursor_execute",
        lambda _c, cursor, statement, *_: counts.append(cursor.rowcount) if "DELETE" in statement else None,
    )
    assert prune(engine, LONG_AFTER, batch=2) == 5
    assert counts == [2, 2, 1]


def test_what_lives_is_not_even_looked_at(engine: Engine) -> None:
    sent: list[tuple[str, Any]] = []
    event.listen(
        engine, "before_cursor_execute", lambda _c, _d, statement, values, *_: sent.append((statement, values))
    )
    prune(engine, LONG_AFTER)
    statement, values = next((one, given) for one, given in sent if "DELETE" in one)
    with transaction(engine) as session:
        connection = session.connection()
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN " if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        plan = " ".join(str(row) for row in connection.exec_driver_sql(explain + statement, values))
    assert "ix_charge_object_gone" in plan
