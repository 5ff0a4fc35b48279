"""What autoscalers may set is charged to what they scale, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update
from sqlmodel import select

from governance.db.session import reading, transaction
from governance.quota.limits import Limit, move
from governance.quota.model import AUTOSCALER, Declaration, name_key
from governance.quota.observe import observe_list
from governance.quota.plan import ObjectRef, Observation
from governance.quota.tables import Binding, Breach, ChargeObject
from governance.quota.totals import differences
from governance.quota.write import Refused, Reserved
from governance.units import ResourceList
from tests.quota.hospital import (
    CPU,
    DEPLOYMENT,
    LATER,
    NOW,
    POD,
    Hospital,
    admit,
    declares,
    found,
    is_sound,
    limit,
    ref,
    see,
    states,
    used,
)

COUNT = "count/horizontalpodautoscalers.autoscaling"


@pytest.fixture(autouse=True)
def hospital(engine: Engine) -> Hospital:
    return found(engine)


def up_to(maximum: int, target: str = "web") -> Declaration:
    return Declaration(
        AUTOSCALER,
        0,
        ResourceList(),
        fixed=ResourceList({COUNT: 1}),
        target=name_key(DEPLOYMENT, "ct", target),
        maximum=maximum,
    )


def autoscaler(name: str = "scaler", target: str = "web") -> ObjectRef:
    one = ref(name, AUTOSCALER)
    return ObjectRef(one.scope, one.namespace, name, AUTOSCALER, one.uid, target=name_key(DEPLOYMENT, "ct", target))


def parents(engine: Engine) -> dict[str, str | None]:
    """Below which object each stands, by their names."""
    with reading(engine) as session:
        rows = session.exec(select(ChargeObject)).all()
        names = {one.uid: one.name for one in rows}
        return {one.name: names[one.parent_uid] if one.parent_uid else None for one in rows if not one.gone}


def set_policy(engine: Engine, autoscaling: str) -> None:
    with transaction(engine) as session:
        session.execute(update(Binding).values(autoscaling=autoscaling))
        move(session, NOW)


def breaches(engine: Engine) -> list[tuple[str, int]]:
    with reading(engine) as session:
        return [(one.resource, one.over) for one in session.exec(select(Breach)).all() if one.closed_at is None]


def test_what_it_may_set_is_charged_when_it_is_asked_for_and_credited_when_less_is_seen(engine: Engine) -> None:
    web, scaler = ref("web"), autoscaler()
    see(engine, web, 1, declares(2))
    assert isinstance(admit(engine, scaler, up_to(5)), Reserved)
    assert (used(engine)["ct"], used(engine, COUNT)["ct"]) == (5000, 1)
    assert parents(engine) == {"web": None, "scaler": "web"}
    see(engine, scaler, 2, up_to(5))
    assert isinstance(admit(engine, scaler, up_to(9), "2"), Reserved)
    assert used(engine)["ct"] == 9000
    admit(engine, scaler, up_to(4), "2")  # nobody needs to ask about less, and asking credits nothing
    assert used(engine)["ct"] == 9000
    see(engine, scaler, 3, up_to(4))
    assert used(engine)["ct"] == 4000
    see(engine, scaler, 4, None)
    assert (used(engine)["ct"], used(engine, COUNT)["ct"]) == (2000, 0)
    assert is_sound(engine)


def test_what_does_not_fit_is_refused_at_the_autoscaler_and_a_scale_within_takes_nothing(
    engine: Engine, hospital: Hospital
) -> None:
    limit(engine, Limit(hospital.ct, CPU, 6000))
    web, scaler = ref("web"), autoscaler()
    see(engine, web, 1, declares(2))
    assert isinstance(admit(engine, scaler, up_to(7)), Refused)
    assert isinstance(admit(engine, scaler, up_to(6)), Reserved)
    assert isinstance(admit(engine, web, declares(6), "1"), Reserved)
    assert used(engine)["ct"] == 6000
    assert isinstance(admit(engine, web, declares(7), "1"), Refused)
    assert is_sound(engine)


def test_the_largest_of_several_counts_and_so_does_the_largest_pod(engine: Engine) -> None:
    web, first, second = ref("web"), autoscaler("first"), autoscaler("second")
    see(engine, web, 1, declares(2))
    see(engine, first, 2, up_to(5))
    see(engine, second, 3, up_to(8))
    see(engine, ref("web-1", POD, owner=web.uid), 4, declares(1, 1500, POD))
    assert used(engine)["ct"] == 12_000
    see(engine, second, 5, None)
    assert used(engine)["ct"] == 7500
    assert is_sound(engine)


def test_one_that_waits_for_what_it_scales_is_taken_in_when_that_is_admitted(
    engine: Engine, hospital: Hospital
) -> None:
    limit(engine, Limit(hospital.ct, CPU, 5000))
    web, scaler = ref("web"), autoscaler()
    assert isinstance(admit(engine, scaler, up_to(6)), Reserved)
    see(engine, scaler, 1, up_to(6))
    assert used(engine, COUNT)["ct"] == 1
    assert isinstance(admit(engine, web, declares(1)), Refused)
    see(engine, scaler, 2, up_to(5))
    assert isinstance(admit(engine, web, declares(1)), Reserved)
    assert (used(engine)["ct"], used(engine, COUNT)["ct"]) == (5000, 1)
    see(engine, web, 3, declares(1))
    assert (used(engine)["ct"], used(engine, COUNT)["ct"]) == (5000, 1)
    assert parents(engine) == {"web": None, "scaler": "web"}
    assert states(engine) == {web.uid: "confirmed", scaler.uid: "released"}
    assert is_sound(engine)


@pytest.mark.parametrize("owner_first", [True, False])
def test_it_stands_below_what_it_scales_and_never_below_its_owner(engine: Engine, *, owner_first: bool) -> None:
    owner, web = ref("owner"), ref("web")
    scaler = replace(autoscaler(), owner_uid=owner.uid)
    for one, declaration in ((owner, declares(1)), (scaler, up_to(6)))[:: 1 if owner_first else -1]:
        see(engine, one, 1, declaration)
        assert parents(engine)[one.name] is None
    see(engine, owner, 2, declares(2))
    assert parents(engine) == {"owner": None, "scaler": None}
    see(engine, web, 3, declares(1))
    assert parents(engine) == {"owner": None, "scaler": "web", "web": None}
    assert used(engine)["ct"] == 8000
    assert is_sound(engine)


def test_it_goes_on_to_the_successor_of_what_it_scales(engine: Engine) -> None:
    old, new, scaler = ref("web"), ref("web"), autoscaler()
    see(engine, old, 1, declares(1))
    see(engine, scaler, 2, up_to(4))
    admit(engine, new, declares(1, 2000))  # perhaps the old one is gone by then, perhaps it exists already
    assert used(engine)["ct"] == 8000
    see(engine, old, 3, None)
    assert used(engine)["ct"] == 8000
    see(engine, new, 4, declares(1, 2000))
    assert (used(engine)["ct"], used(engine, COUNT)["ct"]) == (8000, 1)
    assert parents(engine) == {"web": None, "scaler": "web"}
    see(engine, new, 5, None)
    assert (used(engine)["ct"], used(engine, COUNT)["ct"]) == (0, 1)
    see(engine, scaler, 6, None)
    assert used(engine, COUNT)["ct"] == 0
    assert is_sound(engine)


def test_where_it_scales_another_both_are_charged_until_that_is_seen_or_lost(engine: Engine) -> None:
    web, job, scaler = ref("web"), ref("job"), autoscaler()
    moved = ObjectRef("ward", "ct", "scaler", AUTOSCALER, scaler.uid, target=name_key(DEPLOYMENT, "ct", "job"))
    see(engine, web, 1, declares(1))
    see(engine, job, 2, declares(1))
    see(engine, scaler, 3, up_to(5))
    assert used(engine)["ct"] == 6000
    admit(engine, moved, up_to(4, "job"), "3")
    assert used(engine)["ct"] == 9000
    later = LATER + timedelta(seconds=1)
    still = Observation(scaler, "3", up_to(5), listed_at=later)
    observe_list(engine, "ward", AUTOSCALER, [still], version="9", begun_at=later, now=later)
    assert used(engine)["ct"] == 6000
    admit(engine, moved, up_to(4, "job"), "3")
    see(engine, moved, 10, up_to(4, "job"))
    assert used(engine)["ct"] == 5000
    assert parents(engine)["scaler"] == "job"
    assert is_sound(engine)


def test_when_policy_changes_the_charges_follow_and_what_is_too_much_shows(engine: Engine, hospital: Hospital) -> None:
    set_policy(engine, "current")
    limit(engine, Limit(hospital.ct, CPU, 4000))
    web, scaler = ref("web"), autoscaler()
    see(engine, web, 1, declares(2))
    assert isinstance(admit(engine, scaler, up_to(9)), Reserved)
    assert (used(engine)["ct"], breaches(engine)) == (2000, [])
    set_policy(engine, "maximum")
    assert (used(engine)["ct"], breaches(engine)) == (9000, [(CPU, 5000)])
    see(engine, scaler, 2, up_to(9))
    assert used(engine)["ct"] == 9000
    set_policy(engine, "current")
    assert (used(engine)["ct"], breaches(engine)) == (2000, [])
    assert is_sound(engine)


def test_what_is_told_otherwise_than_the_autoscaler_says_is_found(engine: Engine) -> None:
    web, scaler = ref("web"), autoscaler()
    see(engine, web, 1, declares(2))
    see(engine, scaler, 2, up_to(5))
    assert is_sound(engine)
    with transaction(engine) as session:
        row = session.exec(select(ChargeObject).where(ChargeObject.uid == scaler.uid)).one()
        row.observed = up_to(6).as_document()
        session.add(row)
    with reading(engine) as session:
        assert [(one.what, one.stored, one.derived) for one in differences(session)] == [("object maxima", 5, 6)]
