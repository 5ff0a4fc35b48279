"""A StatefulSet's claims are charged with it and outlive it, on both databases."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from governance.db.session import reading, transaction
from governance.quota.limits import Limit, end_allowances
from governance.quota.model import CLAIM, STATEFUL_SET, AllowanceState, Declaration, claim_key
from governance.quota.observe import observe_list
from governance.quota.plan import ObjectRef
from governance.quota.tables import Breach, Charge, ChargeObject
from governance.quota.write import Refused, Reserved
from governance.units import ResourceList
from tests.quota.hospital import LATER, POD, Hospital, admit, cpu, declares, found, is_sound, known, limit, ref
from tests.quota.hospital import see as see_one
from tests.quota.hospital import used as used_of

STORAGE = "requests.storage"


@pytest.fixture(autouse=True)
def hospital(engine: Engine) -> Hospital:
    return found(engine)


def a_set(name: str = "store", claims: tuple[str, ...] = ("data-store",), *, uid: str = "") -> ObjectRef:
    return replace(ref(name, STATEFUL_SET, uid=uid), claims=claims)


def a_claim(name: str, *, owner: str | None = None, uid: str = "") -> ObjectRef:
    return replace(ref(name, CLAIM, uid=uid, owner=owner), target=claim_key("ct", name))


def declares_set(replicas: int, size: int = 10, claims: tuple[str, ...] = ("data-store",)) -> Declaration:
    unit = cpu(1000) + ResourceList({STORAGE: size}) * len(claims)
    return Declaration(STATEFUL_SET, replicas, unit, template="a", claims=claims)


def declares_claim(size: int = 10) -> Declaration:
    return Declaration(CLAIM, 1, ResourceList({STORAGE: size}))


def see(
    engine: Engine, one: ObjectRef, version: int, declaration: Declaration | None, *, deleting: bool = False
) -> None:
    see_one(engine, one, version, declaration, deleting=deleting)
    assert is_sound(engine)


def used(engine: Engine) -> int:
    return used_of(engine, STORAGE).get("ct", 0)


def roots(engine: Engine) -> dict[str, int]:
    """The storage of each charge that stands in usage, by the name of its root."""
    with reading(engine) as session:
        charges = session.exec(select(Charge).where(Charge.state.in_(("held", "confirmed")))).all()  # type: ignore[attr-defined]
        return {one.native_id.removeprefix("ct/"): one.level.get(STORAGE, 0) for one in charges}


def below(engine: Engine, parent: ObjectRef) -> set[str]:
    with reading(engine) as session:
        rows = session.exec(select(ChargeObject).where(ChargeObject.parent_uid == parent.uid)).all()
        assert {one.charge_id for one in rows} <= {
            one.charge_id for one in session.exec(select(ChargeObject).where(ChargeObject.uid == parent.uid))
        }
        return {one.name for one in rows if not one.gone}


def test_claims_draw_on_what_their_set_was_admitted_for(engine: Engine) -> None:
    store = a_set()
    assert isinstance(admit(engine, store, declares_set(3)), Reserved)
    assert used(engine) == 30
    see(engine, store, 1, declares_set(3))
    for number in range(3):
        see(engine, a_claim(f"data-store-{number}"), 2 + number, declares_claim())
    assert roots(engine) == {"store": 30}
    assert below(engine, store) == {"data-store-0", "data-store-1", "data-store-2"}


def test_claims_stay_when_there_are_fewer_replicas(engine: Engine) -> None:
    store, first, second = a_set(), a_claim("data-store-0"), a_claim("data-store-1")
    see(engine, store, 1, declares_set(2))
    see(engine, first, 2, declares_claim())
    see(engine, second, 3, declares_claim())
    see(engine, store, 4, declares_set(1))
    assert used(engine) == 20
    see(engine, second, 5, None)
    assert used(engine) == 10


def test_a_claim_that_is_larger_than_its_template_shows(engine: Engine) -> None:
    see(engine, a_set(), 1, declares_set(2))
    see(engine, a_claim("data-store-0"), 2, declares_claim(25))
    assert used(engine) == 25
    see(engine, a_claim("data-store-1"), 3, declares_claim(10))
    assert used(engine) == 35


def test_claims_outlive_their_set_as_roots(engine: Engine) -> None:
    store, first, pod = a_set(), a_claim("data-store-0"), ref("store-0", POD)
    see(engine, store, 1, declares_set(2))
    see(engine, first, 2, declares_claim())
    see(engine, replace(pod, owner_uid=store.uid), 3, declares(1, 1000, POD))
    see(engine, replace(store, claims=()), 4, None)  # a deletion is seen without what it named
    assert roots(engine) == {"store": 0, "data-store-0": 10}  # its pods stay its own
    see(engine, pod, 5, declares(1, 1000, POD))  # orphaned
    assert (roots(engine), used_of(engine)["ct"]) == ({"store": 0, "data-store-0": 10}, 1000)
    see(engine, pod, 6, None)
    assert roots(engine) == {"data-store-0": 10}
    see(engine, first, 7, None)
    assert roots(engine) == {}


def test_claims_that_their_set_owns_go_with_it(engine: Engine) -> None:
    # persistentVolumeClaimRetentionPolicy, whenDeleted: Delete
    store = a_set()
    first = a_claim("data-store-0", owner=store.uid)
    see(engine, store, 1, declares_set(1))
    see(engine, first, 2, declares_claim())
    see(engine, replace(store, claims=()), 3, None)
    assert roots(engine) == {"store": 10}
    see(engine, first, 4, None)
    assert roots(engine) == {}


def test_claims_that_were_seen_first_wait_for_their_set(engine: Engine) -> None:
    store, first, other = a_set(), a_claim("data-store-0"), a_claim("data-store")
    see(engine, first, 1, declares_claim())
    see(engine, other, 2, declares_claim(7))
    assert roots(engine) == {"data-store-0": 10, "data-store": 7}
    see(engine, store, 3, declares_set(2))
    assert roots(engine) == {"store": 20, "data-store": 7}
    assert below(engine, store) == {"data-store-0"}


def test_a_pods_own_claim_waits_for_the_pod_and_goes_with_it(engine: Engine) -> None:
    # a generic ephemeral volume: the pod is the claim's controller
    pod = ref("web", POD)
    scratch, done = a_claim("web-scratch-0", owner=pod.uid), a_claim("web-done-0", owner=pod.uid)
    see(engine, scratch, 1, declares_claim())
    see(engine, done, 2, declares_claim())
    see(engine, done, 3, None)
    assert roots(engine) == {"web-scratch-0": 10}
    see(engine, pod, 4, declares(1, 1000, POD))
    assert roots(engine) == {"web": 10}
    with reading(engine) as session:
        parents = select(ChargeObject.name, ChargeObject.parent_uid).where(ChargeObject.kind == CLAIM)
        assert dict(session.exec(parents).all()) == {"web-scratch-0": pod.uid, "web-done-0": None}
    see(engine, pod, 5, None)
    assert roots(engine) == {"web": 10}
    see(engine, scratch, 6, None)
    assert roots(engine) == {}


def test_a_set_that_is_made_again_takes_the_claims_it_finds(engine: Engine, hospital: Hospital) -> None:
    limit(engine, Limit(hospital.ct, STORAGE, 30))
    store, again, first = a_set(), a_set(), a_claim("data-store-0")
    see(engine, store, 1, declares_set(1))
    see(engine, first, 2, declares_claim())
    see(engine, replace(store, claims=()), 3, None)
    assert isinstance(admit(engine, again, declares_set(4)), Refused)
    assert roots(engine) == {"data-store-0": 10}
    assert isinstance(admit(engine, again, declares_set(3)), Reserved)
    assert roots(engine) == {"store": 30}
    assert below(engine, again) == {"data-store-0"}
    see(engine, again, 4, declares_set(3))
    assert roots(engine) == {"store": 30}
    see(engine, replace(again, claims=()), 5, None)
    assert roots(engine) == {"data-store-0": 10}  # the charge that it had before


def test_a_set_that_never_came_to_be_gives_the_claims_back(engine: Engine) -> None:
    store, first = a_set(), a_claim("data-store-0")
    see(engine, first, 1, declares_claim())
    admit(engine, store, declares_set(3))
    assert roots(engine) == {"store": 30}
    later = LATER.replace(hour=13)
    observe_list(engine, "ward", STATEFUL_SET, [], version="9", begun_at=later, now=later)
    assert roots(engine) == {"data-store-0": 10}
    assert is_sound(engine)


def test_a_set_that_was_only_asked_for_takes_no_claims_from_one_that_is_there(engine: Engine) -> None:
    store, twin, first = a_set(), a_set(), a_claim("data-store-0")
    see(engine, store, 1, declares_set(1))
    see(engine, first, 2, declares_claim())
    admit(engine, twin, declares_set(2))
    assert below(engine, store) == {"data-store-0"}
    assert used(engine) == 20


def test_claims_that_their_set_names_no_more_leave_it(engine: Engine) -> None:
    store, data, logs = a_set(), a_claim("data-store-0"), a_claim("logs-store-0")
    see(
        engine,
        replace(store, claims=("data-store", "logs-store")),
        1,
        declares_set(1, 10, ("data-store", "logs-store")),
    )
    see(engine, data, 2, declares_claim())
    see(engine, logs, 3, declares_claim())
    assert roots(engine) == {"store": 20}
    see(engine, store, 4, declares_set(1))
    assert roots(engine) == {"store": 10, "logs-store-0": 10}


def test_a_claim_that_is_being_changed_leaves_its_set_once_that_is_seen(engine: Engine) -> None:
    store, first = a_set(), a_claim("data-store-0")
    see(engine, store, 1, declares_set(1))
    see(engine, first, 2, declares_claim())
    admit(engine, first, declares_claim(15), "2")
    assert roots(engine) == {"store": 15}
    see(engine, replace(store, claims=()), 3, None)
    assert roots(engine) == {"store": 15}
    see(engine, first, 4, declares_claim(15))
    assert roots(engine) == {"data-store-0": 15}


def test_a_claim_that_was_let_in_above_the_limit_pays_for_itself_as_long_as_that_holds(
    engine: Engine, hospital: Hospital
) -> None:
    limit(engine, Limit(hospital.ct, STORAGE, 30))
    store, mine = a_set(), a_claim("data-store-3")
    see(engine, store, 1, declares_set(3))
    by_hand = replace(mine, target="")
    given = (AllowanceState(str(hospital.ct), STORAGE, 10, uuid4(), LATER),)
    assert isinstance(admit(engine, by_hand, declares_claim()), Refused)
    assert isinstance(admit(engine, by_hand, declares_claim(), allowances=given), Reserved)
    see(engine, mine, 2, declares_claim())
    assert roots(engine) == {"store": 30, "data-store-3": 10}
    see(engine, store, 3, declares_set(3))
    with transaction(engine) as session:
        assert session.exec(select(Breach)).all() == []
        end_allowances(session, LATER)
    see(engine, mine, 4, declares_claim())
    assert roots(engine) == {"store": 30}


def test_claims_leave_a_set_that_was_let_in_above_the_limit_too(engine: Engine, hospital: Hospital) -> None:
    limit(engine, Limit(hospital.ct, STORAGE, 15))
    store, first = a_set(), a_claim("data-store-0")
    given = (AllowanceState(str(hospital.ct), STORAGE, 5, uuid4(), LATER),)
    assert isinstance(admit(engine, store, declares_set(2), allowances=given), Reserved)
    see(engine, store, 1, declares_set(2))
    see(engine, first, 2, declares_claim())
    see(engine, replace(store, claims=()), 3, None)
    assert roots(engine) == {"data-store-0": 10}


@pytest.mark.parametrize(
    ("claim", "named"),
    [
        ("a-b-c-0", True),
        ("a-b-c-12", True),
        ("a-b-c", False),
        ("a-b-c-", False),
        ("a-b-c-01", False),
        ("a-b-c-x", False),
        ("x-a-b-c-0", False),
    ],
)
def test_a_claim_is_a_sets_by_its_whole_name(engine: Engine, claim: str, named: bool) -> None:
    store = a_set("b-c", ("a-b-c",))
    see(engine, store, 1, declares_set(1, 10, ("a-b-c",)))
    see(engine, a_claim(claim), 2, declares_claim())
    assert below(engine, store) == ({claim} if named else set())


def test_a_set_of_another_namespace_or_cluster_names_nothing_here(engine: Engine) -> None:
    mri = replace(a_set(), namespace="mri")
    elsewhere = replace(a_set(), scope="annex")
    see(engine, mri, 1, declares_set(1))
    see(engine, elsewhere, 1, declares_set(1))
    see(engine, a_claim("data-store-0"), 2, declares_claim())
    assert roots(engine)["data-store-0"] == 10


def test_facts_of_a_set_leave_out_the_claims_that_stay(engine: Engine) -> None:
    store, first = a_set(), a_claim("data-store-0")
    see(engine, store, 1, declares_set(1))
    see(engine, first, 2, declares_claim())
    for asked in (store, replace(store, claims=None)):  # an event, a Scale
        assert set(known(engine, asked).objects) == {store.uid}
    assert set(known(engine, replace(store, claims=())).objects) == {store.uid, first.uid}
