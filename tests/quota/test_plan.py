"""Plans without a database: what an admission and an event would make of what is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from governance.quota.model import Declaration
from governance.quota.plan import ObjectRef, Observation
from governance.quota.propose import scaled
from governance.units import ResourceList
from tests.quota.hospital import CPU, LATER, NOW, POD, REPLICASET, cpu, declares, ref
from tests.quota.ledgers import Memory

DAEMONSET = "apps/daemonsets"
STATEFULSET = "apps/statefulsets"


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


def running(ledger: Memory, replicas: int, *sizes: int, template: str = "a") -> tuple[ObjectRef, list[ObjectRef]]:
    """A Deployment that was seen, with its ReplicaSet and pods of these sizes; answers the Deployment and the pods."""
    web = ref("web")
    see(ledger, web, 1, declares(replicas, template=template))
    parts = ref("web-1", REPLICASET, owner=web.uid)
    see(ledger, parts, 2, declares(replicas, kind=REPLICASET, template=template))
    pods = [ref(f"web-1-{number}", POD, owner=parts.uid) for number in range(len(sizes))]
    for number, size in enumerate(sizes):
        see(ledger, pods[number], 3 + number, declares(1, size, POD, template="injected"))
    return web, pods


def test_a_scale_takes_what_the_largest_live_pod_takes_and_not_what_the_template_says(ledger: Memory) -> None:
    web, _ = running(ledger, 2, 1000, 1250)
    assert charged(ledger) == 2500
    wanted = scaled(ledger.known(web), web.uid, 10)
    assert wanted is not None
    ask(ledger, web, wanted, 1)
    assert charged(ledger) == 12_500
    assert ledger.is_sound()


def test_the_largest_pod_is_let_go_of_when_it_is_gone_or_smaller_and_the_next_one_counts(ledger: Memory) -> None:
    _, pods = running(ledger, 4, 1000, 1250, 1250, 1500)
    assert charged(ledger) == 6000
    see(ledger, pods[3], 20, None)
    assert charged(ledger) == 5000
    see(ledger, pods[2], 21, declares(1, 1100, POD, template="injected"))
    assert charged(ledger) == 5000
    see(ledger, pods[1], 22, declares(0, 0, POD, template="injected"))  # it has ended
    assert charged(ledger) == 4400
    see(ledger, pods[2], 23, None)
    assert charged(ledger) == 4000


def test_each_component_is_that_of_the_pod_that_takes_most_of_it(ledger: Memory) -> None:
    _, pods = running(ledger, 2, 1000, 1000)
    injected = replace(declares(1, 500, POD), unit=ResourceList({CPU: 500, "requests.memory": 7}))
    see(ledger, pods[1], 20, injected)
    assert ledger.charged() == ResourceList({CPU: 2000, "requests.memory": 14})


def test_the_resize_of_a_pod_is_reserved_for_each_replica_when_it_is_asked_for(ledger: Memory) -> None:
    _, pods = running(ledger, 3, 1000, 1000, 1000)
    ask(ledger, pods[0], declares(1, 2000, POD, template="injected"), 3)
    assert charged(ledger) == 6000
    see(ledger, pods[0], 20, declares(1, 1000, POD, template="injected"))  # it was lost
    assert charged(ledger) == 3000


def test_pods_of_the_former_template_count_while_a_new_one_rolls_out_and_no_longer(ledger: Memory) -> None:
    web, pods = running(ledger, 2, 1500, 1500)
    ask(ledger, web, declares(2, template="b"), 1)
    assert charged(ledger) == 4500  # two and the surge
    see(ledger, web, 20, replace(declares(2, template="b"), rolling=True))
    assert charged(ledger) == 4500
    parts = ref("web-2", REPLICASET, owner=web.uid)
    see(ledger, parts, 21, declares(2, kind=REPLICASET, template="b"))
    former = ref("web-1", REPLICASET, uid=pods[0].owner_uid or "", owner=web.uid)
    see(ledger, former, 22, declares(0, kind=REPLICASET))
    see(ledger, pods[1], 22, None)
    see(ledger, web, 23, declares(2, template="b"))
    see(ledger, ref("web-2-0", POD, owner=parts.uid), 24, declares(1, 1100, POD, template="injected"))
    assert charged(ledger) == 3700  # one pod of the former template ends slowly; two of the new one
    assert scaled_to(ledger, web, 10) == 11_000


def scaled_to(ledger: Memory, one: ObjectRef, replicas: int) -> int:
    wanted = scaled(ledger.known(one), one.uid, replicas)
    assert wanted is not None
    ask(ledger, one, wanted, 30)
    return charged(ledger)


def test_pods_of_an_earlier_revision_that_live_on_do_not_count(ledger: Memory) -> None:
    store = ref("store", STATEFULSET)
    second = replace(declares(3, kind=STATEFULSET), revision="second")
    see(ledger, store, 1, second)
    for number, (revision, size) in enumerate([("first", 4000), ("second", 1000), ("second", 1250)]):
        pod = replace(declares(1, size, POD), revision=revision)
        see(ledger, ref(f"store-{number}", POD, owner=store.uid), 2 + number, pod)
    assert charged(ledger) == 6250
    assert scaled_to(ledger, store, 10) == 12_500


def test_what_is_no_pod_makes_no_unit_larger(ledger: Memory) -> None:
    store = ref("store", STATEFULSET)
    see(ledger, store, 1, declares(3, kind=STATEFULSET))
    claim = Declaration("core/persistentvolumeclaims", 1, cpu(5000))
    see(ledger, ref("data-store-0", "core/persistentvolumeclaims", owner=store.uid), 2, claim)
    assert charged(ledger) == 5000


def test_a_pod_that_is_taken_from_its_owner_takes_its_size_along(ledger: Memory) -> None:
    _, pods = running(ledger, 2, 1000, 1500)
    ask(ledger, replace(pods[1], owner_uid=None), declares(1, 1500, POD), 4)
    see(ledger, replace(pods[1], owner_uid=None), 20, declares(1, 1500, POD))
    assert charged(ledger) == 3500
    assert ledger.is_sound()
