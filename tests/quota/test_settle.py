"""What the machine found once, said in a few steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from governance.quota.observe import observe_list
from governance.quota.plan import ObjectRef
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
