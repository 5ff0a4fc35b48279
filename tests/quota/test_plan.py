"""Plans without a database: what an admission and an event would make of what is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from governance.quota.model import Declaration
from governance.quota.plan import ObjectRef, Observation, scaled
from governance.units import ResourceList
from tests.quota.hospital import CPU, LATER, NOW, POD, REPLICASET, cpu, declares, ref
from tests.quota.ledgers import Memory

DAEMONSET = "apps/daemonsets"


@pytest.fixture
def ledger() -> Memory:
    return Memory()


def ask(ledger: Memory, one: ObjectRef, declaration: Declaration, base: int = 0) -> bool:
    return ledger.reserve(one, declaration, base, NOW, LATER)


def see(
    ledger: Memory, one: ObjectRef, version: int, declaration: Declaration | None, *, deleting: bool = False
) -> None:
    ledger.observe(Observation(one, str(version), declaration, deleting=deleting), NOW)


def charged(ledger: Memory) -> int:
    return ledger.charged()[CPU]


def test_a_new_template_is_charged_with_its_surge_until_the_rollout_is_over(ledger: Memory) -> None:
    web = ref("web")
    see(ledger, web, 1, declares(4))
    ask(ledger, web, declares(4, template="b"), 1)
    assert charged(ledger) == 5000
    see(ledger, web, 2, replace(declares(4, template="b"), rolling=True))
    assert charged(ledger) == 5000
    see(ledger, web, 3, declares(4, template="b"))
    assert charged(ledger) == 4000


def test_a_plain_scale_is_charged_without_surge(ledger: Memory) -> None:
    web = ref("web")
    see(ledger, web, 1, declares(4))
    ask(ledger, web, declares(6), 1)
    assert charged(ledger) == 6000


def test_a_scale_takes_the_larger_of_the_observed_and_the_pending_template(ledger: Memory) -> None:
    web = ref("web")
    assert scaled(ledger.known(web), web.uid, 3) is None
    see(ledger, web, 1, declares(2, 3000))
    ask(ledger, web, declares(2, 1000, template="b"), 1)
    wanted = scaled(ledger.known(web), web.uid, 4)
    assert wanted is not None
    assert (wanted.replicas, wanted.unit, wanted.rolling) == (4, cpu(3000), True)
    see(ledger, web, 2, None)
    assert scaled(ledger.known(web), web.uid, 4) is None


def test_the_same_content_replaces_its_pending_and_another_stands_beside_it(ledger: Memory) -> None:
    web = ref("web")
    see(ledger, web, 1, declares(1))
    for base in (1, 2, 3):
        ask(ledger, web, declares(5), base)
    ask(ledger, web, declares(3), 3)
    assert [(one.base_version, one.declaration.replicas) for one in ledger.objects[web.uid].pendings] == [
        ("3", 5),
        ("3", 3),
    ]
    assert charged(ledger) == 5000


def test_an_event_rules_only_on_pendings_of_earlier_versions(ledger: Memory) -> None:
    web = ref("web")
    see(ledger, web, 1, declares(1))
    ask(ledger, web, declares(5), 4)
    see(ledger, web, 4, declares(2))
    assert charged(ledger) == 5000
    see(ledger, web, 5, declares(2))
    assert charged(ledger) == 2000


def test_a_charge_never_falls_by_an_admission(ledger: Memory) -> None:
    web = ref("web")
    see(ledger, web, 1, declares(5))
    ask(ledger, web, declares(2), 1)
    assert charged(ledger) == 5000


def test_a_bare_pod_taken_out_of_its_selector_is_charged_beside_its_former_owner(ledger: Memory) -> None:
    replicas = ref("web-1", REPLICASET)
    pod = ref("web-1-a", POD, owner=replicas.uid)
    see(ledger, replicas, 1, declares(2, kind=REPLICASET))
    see(ledger, pod, 2, declares(1, kind=POD))
    assert charged(ledger) == 2000
    ask(ledger, replace(pod, owner_uid=None), declares(1, kind=POD), 2)
    assert charged(ledger) == 3000


def test_what_an_orphaning_delete_leaves_is_charged_until_it_is_adopted_and_then_draws_on_the_adopter(
    ledger: Memory,
) -> None:
    old, new = ref("web"), ref("web")
    replicas = ref("web-1", REPLICASET, owner=old.uid)
    see(ledger, old, 1, declares(3))
    see(ledger, replicas, 2, declares(3, kind=REPLICASET))
    see(ledger, old, 3, declares(3), deleting=True)
    see(ledger, replace(replicas, owner_uid=None), 4, declares(3, kind=REPLICASET))
    see(ledger, old, 5, None)
    assert charged(ledger) == 3000
    ask(ledger, new, declares(3))
    see(ledger, new, 6, declares(3))
    see(ledger, replace(replicas, owner_uid=new.uid), 7, declares(3, kind=REPLICASET))
    assert charged(ledger) == 3000
    assert ledger.is_sound()


def test_a_daemon_set_is_charged_for_a_node_that_joins_when_it_is_seen(ledger: Memory) -> None:
    agent = ref("agent", DAEMONSET)
    ask(ledger, agent, declares(3, kind=DAEMONSET))
    see(ledger, agent, 1, declares(3, kind=DAEMONSET))
    see(ledger, agent, 2, declares(4, kind=DAEMONSET))
    assert charged(ledger) == 4000


def test_a_chain_of_owners_without_end_is_not_followed(ledger: Memory) -> None:
    one = ref("set-0", REPLICASET)
    see(ledger, one, 1, declares(1, kind=REPLICASET))
    for number in range(1, 12):
        one = ref(f"set-{number}", REPLICASET, owner=one.uid)
        see(ledger, one, 1 + number, declares(1, kind=REPLICASET))
    assert charged(ledger) == 2000  # two chains of at most eight
    assert ledger.is_sound()


def test_owners_that_own_each_other_are_charged_once(ledger: Memory) -> None:
    first, second = ref("a", REPLICASET), ref("b", REPLICASET)
    see(ledger, replace(first, owner_uid=second.uid), 1, declares(2, kind=REPLICASET))
    see(ledger, replace(second, owner_uid=first.uid), 2, declares(3, kind=REPLICASET))
    assert ledger.is_sound()
    assert charged(ledger) == 3000


def test_counts_of_parent_and_children_add_up(ledger: Memory) -> None:
    replicas = ref("web-1", REPLICASET)
    counted = replace(declares(2, kind=REPLICASET), fixed=ResourceList({"count/replicasets.apps": 1}))
    see(ledger, replicas, 1, counted)
    for number in range(2):
        pod = replace(declares(1, kind=POD), fixed=ResourceList({"count/pods": 1}))
        see(ledger, ref(f"web-1-{number}", POD, owner=replicas.uid), 2 + number, pod)
    assert ledger.charged() == ResourceList({CPU: 2000, "count/replicasets.apps": 1, "count/pods": 2})
