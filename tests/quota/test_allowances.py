"""Allowances follow their charges: they never make room for others, and never outlive their use."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from governance.db.session import reading, transaction
from governance.quota.ledger import Reservation, reserve
from governance.quota.limits import Limit, end_allowances
from governance.quota.model import AllowanceState
from governance.quota.observe import observe
from governance.quota.plan import Observation, Settled
from governance.quota.tables import Allowance, Breach, Usage
from governance.quota.write import Moved, Refused, Reserved
from tests.quota.hospital import (
    CPU,
    LATER,
    NOW,
    REPLICASET,
    Hospital,
    admit,
    declares,
    found,
    is_sound,
    limit,
    proposed,
    ref,
    see,
    used,
)


@pytest.fixture
def hospital(engine: Engine) -> Hospital:
    """ct may take 17 cores, radiology 17."""
    hospital = found(engine)
    limit(engine, Limit(hospital.ct, CPU, 17_000), Limit(hospital.radiology, CPU, 17_000))
    return hospital


def allowed(hospital: Hospital, cores: int, grant: UUID | None = None) -> tuple[AllowanceState, ...]:
    """What a grant allows: so many cores at ct and at radiology."""
    grant = grant or uuid4()
    nodes = (hospital.ct, hospital.radiology)
    return tuple(AllowanceState(str(node), CPU, cores * 1000, grant, LATER) for node in nodes)


def raised(engine: Engine, node: UUID) -> int:
    """By how many cores the guard of a node is raised."""
    with reading(engine) as session:
        return session.exec(select(Usage.allowance).where(Usage.node_id == node, Usage.resource == CPU)).one() // 1000


def live(engine: Engine) -> int:
    with reading(engine) as session:
        return len(session.exec(select(Allowance).where(col(Allowance.ended_at).is_(None))).all())


def test_what_a_scale_gives_back_its_allowance_gives_back_too(engine: Engine, hospital: Hospital) -> None:
    web = ref("web")
    see(engine, web, 1, declares(2))
    assert isinstance(admit(engine, web, declares(20), "1"), Refused)
    assert isinstance(admit(engine, web, declares(20), "1", allowances=allowed(hospital, 3)), Reserved)
    see(engine, web, 2, declares(20))
    assert raised(engine, hospital.ct) == raised(engine, hospital.radiology) == 3
    see(engine, web, 3, declares(19))
    assert raised(engine, hospital.ct) == raised(engine, hospital.radiology) == 2
    see(engine, web, 4, declares(2))
    assert raised(engine, hospital.ct) == raised(engine, hospital.radiology) == 0
    assert live(engine) == 0
    assert isinstance(admit(engine, web, declares(20), "4"), Refused)
    assert is_sound(engine)


def test_what_others_give_back_leaves_an_allowance_as_it_is(engine: Engine, hospital: Hospital) -> None:
    web, other = ref("web"), ref("other")
    see(engine, other, 1, declares(15))
    admit(engine, web, declares(5), allowances=allowed(hospital, 3))
    see(engine, other, 2, declares(1))
    assert raised(engine, hospital.ct) == 3
    assert is_sound(engine)


def test_no_more_is_allowed_than_is_needed_when_the_grant_is_used(engine: Engine, hospital: Hospital) -> None:
    see(engine, ref("other"), 1, declares(14))
    web, given = ref("web"), allowed(hospital, 3)
    assert isinstance(admit(engine, web, declares(4), allowances=given), Reserved)
    assert raised(engine, hospital.ct) == raised(engine, hospital.radiology) == 1
    assert isinstance(admit(engine, ref("more"), declares(1, 1)), Refused)
    assert is_sound(engine)


def test_a_grant_that_turns_out_not_to_be_needed_raises_nothing(engine: Engine, hospital: Hospital) -> None:
    assert isinstance(admit(engine, ref("web"), declares(4), allowances=allowed(hospital, 3)), Reserved)
    assert (raised(engine, hospital.ct), live(engine)) == (0, 0)


def test_a_repetition_may_use_what_is_left_of_its_grant_and_no_more(engine: Engine, hospital: Hospital) -> None:
    see(engine, ref("other"), 1, declares(16))
    web, given = ref("web"), allowed(hospital, 3)
    admit(engine, web, declares(3), allowances=given)
    assert raised(engine, hospital.ct) == 2
    assert isinstance(admit(engine, web, declares(4), allowances=given), Reserved)
    assert raised(engine, hospital.ct) == 3
    assert isinstance(admit(engine, web, declares(5), allowances=given), Refused)
    assert (raised(engine, hospital.ct), live(engine)) == (3, 2)
    assert is_sound(engine)


def test_of_two_grants_the_newer_is_given_back_first(engine: Engine, hospital: Hospital) -> None:
    web, first, second = ref("web"), uuid4(), uuid4()
    see(engine, web, 1, declares(17))
    admit(engine, web, declares(18), "1", allowances=allowed(hospital, 1, first))
    admit(engine, web, declares(20), "1", allowances=allowed(hospital, 2, second))
    see(engine, web, 2, declares(20))
    see(engine, web, 3, declares(18))
    with reading(engine) as session:
        left = session.exec(select(Allowance.grant_id).where(col(Allowance.ended_at).is_(None))).all()
    assert set(left) == {first}
    assert is_sound(engine)


def test_a_takeover_of_the_name_takes_the_allowance_along_and_a_restoration_brings_it_back(
    engine: Engine, hospital: Hospital
) -> None:
    old, new = ref("web"), ref("web")
    admit(engine, old, declares(20), allowances=allowed(hospital, 3))
    see(engine, old, 1, declares(20))
    assert isinstance(admit(engine, new, declares(20)), Reserved)
    assert raised(engine, hospital.ct) == 3
    later = LATER.replace(year=2027)
    observe(engine, Observation(new, "9", listed_at=later), now=later)
    assert raised(engine, hospital.ct) == 3
    assert isinstance(admit(engine, ref("more"), declares(1, 1)), Refused)
    see(engine, old, 10, None)
    assert (used(engine)["ct"], raised(engine, hospital.ct), live(engine)) == (0, 0, 0)
    assert is_sound(engine)


def test_a_repeated_create_with_one_grant_is_allowed_once_and_uses_it_whichever_exists(
    engine: Engine, hospital: Hospital
) -> None:
    first, second, grant = ref("web"), ref("web"), uuid4()
    for one in (first, second):
        given = allowed(hospital, 3, grant)
        assert isinstance(admit(engine, one, declares(20), grant=grant, allowances=given), Reserved)
        assert raised(engine, hospital.ct) == 3
    told: list[Settled] = []

    def on_settled(_: Session, one: Settled) -> None:
        told.append(one)

    observe(engine, Observation(first, "4", declares(20)), now=NOW, on_settled=on_settled)
    assert [(one.persisted, one.grant_id) for one in told] == [(True, grant)] * 2
    assert len({one.charge_id for one in told}) == 2
    later = LATER.replace(year=2027)
    observe(engine, Observation(second, "9", listed_at=later), now=later, on_settled=on_settled)
    assert [one.grant_id for one in told[2:]] == [None]
    assert (used(engine)["ct"], raised(engine, hospital.ct)) == (20_000, 3)
    assert is_sound(engine)


def test_adoption_takes_the_allowance_to_the_owner(engine: Engine, hospital: Hospital) -> None:
    web, replicas = ref("web"), ref("web-1", REPLICASET)
    admit(engine, replicas, declares(20, kind=REPLICASET), allowances=allowed(hospital, 3))
    see(engine, replicas, 1, declares(20, kind=REPLICASET))
    see(engine, web, 2, declares(0))
    adopted = ref("web-1", REPLICASET, uid=replicas.uid, owner=web.uid)
    see(engine, adopted, 3, declares(20, kind=REPLICASET))
    assert (used(engine)["ct"], raised(engine, hospital.ct)) == (20_000, 3)
    see(engine, adopted, 4, None)
    assert (used(engine)["ct"], raised(engine, hospital.ct)) == (0, 0)
    assert is_sound(engine)


def test_a_plan_that_counts_on_an_allowance_which_ended_meanwhile_is_made_again(
    engine: Engine, hospital: Hospital
) -> None:
    web = ref("web")
    admit(engine, web, declares(20), allowances=allowed(hospital, 3))
    stale = proposed(engine, web, declares(20, template="b"))
    with transaction(engine) as session:
        end_allowances(session, LATER)
    assert isinstance(reserve(engine, Reservation(stale, now=NOW)), Moved)
    with reading(engine) as session:
        assert {(one.node_id, one.over) for one in session.exec(select(Breach))} == {
            (hospital.ct, 3000),
            (hospital.radiology, 3000),
        }
    see(engine, web, 1, declares(17))
    with reading(engine) as session:
        assert all(one.closed_at for one in session.exec(select(Breach)))
    assert is_sound(engine)
