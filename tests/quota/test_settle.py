"""What the machine found once, said in a few steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from governance.db.session import reading, transaction
from governance.quota.observe import observe_list
from governance.quota.plan import ObjectRef
from governance.quota.tables import ChargeObject
from governance.quota.totals import differences
from tests.quota.hospital import (
    LATER,
    POD,
    REPLICASET,
    Hospital,
    admit,
    declares,
    found,
    is_sound,
    ref,
    see,
    used,
)


@pytest.fixture(autouse=True)
def hospital(engine: Engine) -> Hospital:
    return found(engine)


def without_owner(pod: ObjectRef) -> ObjectRef:
    return replace(pod, owner_uid=None)


def test_what_a_pod_was_taken_from_is_credited_when_the_pod_is_seen_without_it(engine: Engine) -> None:
    replicas = ref("web-1", REPLICASET)
    pod = ref("web-1-a", POD, owner=replicas.uid)
    see(engine, replicas, 1, declares(0, kind=REPLICASET))
    see(engine, pod, 2, declares(1, kind=POD))
    admit(engine, without_owner(pod), declares(1, kind=POD), "2")
    assert used(engine)["ct"] == 2000
    see(engine, without_owner(pod), 3, declares(1, kind=POD))
    assert used(engine)["ct"] == 1000
    assert is_sound(engine)


def test_an_event_from_before_it_does_not_put_a_pod_back_to_the_owner_that_it_was_taken_from(engine: Engine) -> None:
    replicas = ref("web-1", REPLICASET)
    pod = ref("web-1-a", POD, owner=replicas.uid)
    see(engine, replicas, 1, declares(1, kind=REPLICASET))
    admit(engine, without_owner(pod), declares(1, kind=POD), "2")
    see(engine, pod, 2, declares(1, kind=POD))
    assert used(engine)["ct"] == 2000
    see(engine, pod, 3, declares(1, kind=POD))  # the write was lost
    assert used(engine)["ct"] == 1000
    assert is_sound(engine)


def test_while_it_rolls_out_pods_of_the_larger_template_are_charged(engine: Engine) -> None:
    web = ref("web")
    see(engine, web, 1, declares(2, 2000))
    admit(engine, web, declares(2, 1000, template="b"), "1")
    assert used(engine)["ct"] == 6000
    see(engine, web, 2, replace(declares(2, 1000, template="b"), rolling=True))
    assert used(engine)["ct"] == 6000
    see(engine, web, 3, replace(declares(2, 1000, template="b"), rolling=True))
    assert used(engine)["ct"] == 6000
    see(engine, web, 4, declares(2, 1000, template="b"))
    assert used(engine)["ct"] == 2000


def test_what_a_deleted_object_left_behind_is_charged_again_when_its_successor_is_lost(engine: Engine) -> None:
    old, new = ref("web"), ref("web")
    replicas = ref("web-1", REPLICASET, owner=old.uid)
    see(engine, old, 1, declares(2))
    see(engine, replicas, 2, declares(2, kind=REPLICASET))
    admit(engine, new, declares(1))
    see(engine, old, 3, None)
    assert used(engine)["ct"] == 2000
    assert is_sound(engine)
    later = LATER + timedelta(seconds=1)
    observe_list(engine, "ward", new.kind, [], version="9", begun_at=later, now=later)
    assert used(engine)["ct"] == 2000
    see(engine, replicas, 10, None)
    assert used(engine)["ct"] == 0
    assert is_sound(engine)


def test_how_large_live_pods_are_is_kept_with_what_they_draw_on(engine: Engine) -> None:
    web = ref("web")
    parts = ref("web-1", REPLICASET, owner=web.uid)
    pods = [ref(f"web-1-{number}", POD, owner=parts.uid) for number in range(3)]
    see(engine, web, 1, declares(3))
    see(engine, parts, 2, declares(3, kind=REPLICASET))
    for number, size in enumerate([1000, 1500, 1500]):
        see(engine, pods[number], 3 + number, declares(1, size, POD))
    assert used(engine)["ct"] == 4500
    admit(engine, web, declares(5), "1")
    assert used(engine)["ct"] == 7500
    admit(engine, pods[0], declares(1, 2000, POD), "3")
    assert used(engine)["ct"] == 10_000
    see(engine, pods[0], 20, declares(1, 1000, POD))
    see(engine, pods[1], 21, None)
    assert used(engine)["ct"] == 7500
    see(engine, pods[2], 22, None)
    assert used(engine)["ct"] == 5000
    assert is_sound(engine)


def test_a_count_of_sizes_that_is_not_what_the_pods_add_up_to_is_found(engine: Engine) -> None:
    parts = ref("web-1", REPLICASET)
    see(engine, parts, 1, declares(1, kind=REPLICASET))
    see(engine, ref("web-1-0", POD, owner=parts.uid), 2, declares(1, 1500, POD))
    assert is_sound(engine)
    with transaction(engine) as session:
        row = session.exec(select(ChargeObject).where(ChargeObject.uid == parts.uid)).one()
        row.sizes = []
        session.add(row)
    with reading(engine) as session:
        found_now = [(one.what, one.stored, one.derived) for one in differences(session)]
    assert ("object sizes", 0, 1) in found_now
