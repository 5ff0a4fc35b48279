"""The ledger's contract: the same answers and the same rows on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, func, update
from sqlmodel import Session, col, select

from governance.audit.log import event
from governance.audit.tables import AuditEvent
from governance.db.base import NewRow
from governance.db.session import reading, transaction
from governance.identity.tables import Node
from governance.quota.lease import acquire, relisted
from governance.quota.ledger import Reservation, reserve
from governance.quota.limits import Limit, end_allowances, move
from governance.quota.model import AllowanceState
from governance.quota.observe import Fenced, Writer, observe, observe_list, overdue
from governance.quota.plan import ObjectRef, Observation, Settled
from governance.quota.tables import Binding, Breach, Scope, Usage
from governance.quota.totals import Difference, differences, rebuild
from governance.quota.write import Moved, Refused, Reserved
from tests.quota.hospital import (
    CPU,
    LATER,
    NOW,
    POD,
    REPLICASET,
    Hospital,
    admit,
    cpu,
    declares,
    found,
    is_sound,
    known,
    limit,
    proposed,
    ref,
    see,
    states,
    used,
)


@pytest.fixture(autouse=True)
def hospital(engine: Engine) -> Hospital:
    return found(engine)


def test_an_admission_is_charged_on_every_level_of_the_tree(engine: Engine) -> None:
    assert isinstance(admit(engine, ref("web"), declares(3)), Reserved)
    assert used(engine) == {"ct": 3000, "radiology": 3000, "hospital": 3000}
    assert is_sound(engine)


def test_a_repeated_admission_changes_nothing(engine: Engine) -> None:
    web = ref("web")
    admit(engine, web, declares(3))
    again = proposed(engine, web, declares(3))
    assert not again.delta
    assert isinstance(reserve(engine, Reservation(again, now=NOW)), Reserved)
    assert used(engine)["hospital"] == 3000


def test_the_last_unit_passes_and_one_more_is_refused_with_what_would_be_over(
    engine: Engine, hospital: Hospital
) -> None:
    limit(engine, Limit(hospital.radiology, CPU, 3000, rule="radiology"))
    admit(engine, ref("a"), declares(2))
    assert isinstance(admit(engine, ref("b"), declares(1)), Reserved)
    refused = admit(engine, ref("c"), declares(1, 1))
    assert isinstance(refused, Refused)
    over = [(one.node_id, one.used, one.increase, one.limit, one.rule) for one in refused.positions]
    assert over == [(str(hospital.radiology), 3000, 1, 3000, "radiology")]
    assert used(engine)["ct"] == 3000


def test_what_is_guaranteed_to_a_sibling_is_not_lent(engine: Engine, hospital: Hospital) -> None:
    limit(
        engine,
        Limit(hospital.root, CPU, 10_000),
        Limit(hospital.surgery, CPU, 5000, lending=1000),
        Limit(hospital.radiology, CPU, 5000, borrowing=4000),
    )
    assert used(engine)["hospital"] == 4000
    assert isinstance(admit(engine, ref("a"), declares(6)), Reserved)
    assert isinstance(admit(engine, ref("b"), declares(1, 1)), Refused)
    assert isinstance(admit(engine, ref("own", namespace="theatre"), declares(4)), Reserved)
    assert used(engine)["hospital"] == 10_000
    assert is_sound(engine)


def test_a_plan_made_from_rows_that_moved_is_not_written(engine: Engine) -> None:
    web = ref("web")
    admit(engine, web, declares(1))
    stale = proposed(engine, web, declares(5), "1")
    admit(engine, web, declares(2), "1")
    assert isinstance(reserve(engine, Reservation(stale, now=NOW)), Moved)
    assert used(engine)["ct"] == 2000


def test_a_namespace_that_another_project_pays_for_meanwhile_is_read_again(engine: Engine, hospital: Hospital) -> None:
    proposal = proposed(engine, ref("web"), declares(1))
    with transaction(engine) as session:
        row = session.get_one(Binding, ("ward", "ct"))
        row.project_id, row.path = hospital.mri, [str(hospital.mri), str(hospital.radiology), str(hospital.root)]
    assert isinstance(reserve(engine, Reservation(proposal, now=NOW)), Moved)
    assert sum(used(engine).values()) == 0


def test_what_stands_beside_is_written_with_it_or_not_at_all(engine: Engine, hospital: Hospital) -> None:
    limit(engine, Limit(hospital.ct, CPU, 1000))

    def told(name: str) -> NewRow:
        return NewRow(AuditEvent, event("ö'\"", "admission.allow", "d", name, at=NOW, after={"a": [1, None]}))

    assert isinstance(
        reserve(
            engine, Reservation(proposed(engine, ref("a"), declares(1)), now=NOW, alongside=(told("a"), told("b")))
        ),
        Reserved,
    )
    assert isinstance(
        reserve(engine, Reservation(proposed(engine, ref("c"), declares(1)), now=NOW, alongside=(told("c"),))), Refused
    )
    with reading(engine) as session:
        rows = session.exec(select(AuditEvent).order_by(AuditEvent.subject_id)).all()
    assert [(one.subject_id, one.actor, one.at, one.after, one.before) for one in rows] == [
        ("a", "ö'\"", NOW, {"a": [1, None]}, None),
        ("b", "ö'\"", NOW, {"a": [1, None]}, None),
    ]


def test_an_update_that_finds_no_row_stops_the_whole_reservation(engine: Engine) -> None:
    nobody = update(Scope).where(col(Scope.name) == "no such cluster").values(mode="warn")
    assert isinstance(
        reserve(engine, Reservation(proposed(engine, ref("a"), declares(1)), now=NOW, extra=(nobody,))), Moved
    )
    assert states(engine) == {}
    one = update(Scope).where(col(Scope.name) == "ward").values(mode="warn")
    assert isinstance(
        reserve(engine, Reservation(proposed(engine, ref("a"), declares(1)), now=NOW, extra=(one,))), Reserved
    )


def test_an_allowance_raises_the_guard_once_and_falls_back_when_it_ends(engine: Engine, hospital: Hospital) -> None:
    limit(engine, Limit(hospital.ct, CPU, 2000))
    web, grant = ref("web"), uuid4()
    allowed = AllowanceState(str(hospital.ct), CPU, 1000, grant, LATER)
    for _ in range(2):
        written = admit(engine, web, declares(3), grant=grant, allowances=(allowed,))
        assert isinstance(written, Reserved)
    with reading(engine) as session:
        assert session.exec(select(Usage.allowance).where(Usage.node_id == hospital.ct)).one() == 1000
    assert is_sound(engine)
    with transaction(engine) as session:
        assert end_allowances(session, NOW) == []
        (ended,) = end_allowances(session, LATER)
    assert (ended.grant_id, ended.amount) == (grant, 1000)
    assert (ended.standing.used, ended.standing.limit, ended.standing.over) == (3000, 2000, 1000)
    with reading(engine) as session:
        assert [(one.node_id, one.over) for one in session.exec(select(Breach))] == [(hospital.ct, 1000)]
    assert isinstance(admit(engine, ref("more"), declares(1, 1)), Refused)
    assert is_sound(engine)


def test_a_lost_write_gives_its_grant_back_and_ends_its_allowance(engine: Engine, hospital: Hospital) -> None:
    limit(engine, Limit(hospital.ct, CPU, 2000))
    web, grant = ref("web"), uuid4()
    admit(engine, web, declares(2))
    see(engine, web, 1, declares(2))
    admit(
        engine,
        web,
        declares(3),
        "1",
        grant=grant,
        allowances=(AllowanceState(str(hospital.ct), CPU, 1000, grant, LATER),),
    )
    told: list[Settled] = []

    def on_settled(_: Session, one: Settled) -> None:
        told.append(one)

    observe(engine, Observation(web, "2", declares(2)), now=NOW, on_settled=on_settled)
    assert [(one.persisted, one.grant_id) for one in told] == [(False, grant)]
    assert used(engine)["ct"] == 2000
    assert isinstance(admit(engine, ref("more"), declares(1, 1)), Refused)
    assert is_sound(engine)


def test_forced_is_never_refused_and_opens_a_breach_that_closes_by_itself(engine: Engine, hospital: Hospital) -> None:
    limit(engine, Limit(hospital.ct, CPU, 1000))
    web = ref("web")
    assert isinstance(admit(engine, web, declares(3), forced=True), Reserved)
    with reading(engine) as session:
        assert [(one.over, one.closed_at) for one in session.exec(select(Breach))] == [(2000, None)]
    see(engine, web, 1, declares(1))
    with reading(engine) as session:
        assert [one.closed_at for one in session.exec(select(Breach))] == [NOW]


def test_pods_draw_on_their_deployment_whatever_the_order_of_events(engine: Engine) -> None:
    web = ref("web")
    replicas = ref("web-1", REPLICASET, owner=web.uid)
    pods = [ref(f"web-1-{number}", POD, owner=replicas.uid) for number in range(3)]
    admit(engine, web, declares(2))
    for number, pod in enumerate(pods):
        see(engine, pod, 10 + number, declares(1, kind=POD))
    assert used(engine)["ct"] == 5000  # owners that nobody has seen pay nothing
    see(engine, replicas, 9, declares(2, kind=REPLICASET))
    see(engine, web, 8, declares(2))
    assert used(engine)["ct"] == 3000
    see(engine, pods[2], 20, None)
    assert used(engine)["ct"] == 2000
    assert is_sound(engine)


def test_a_pod_that_a_user_makes_below_an_unknown_owner_is_charged(engine: Engine) -> None:
    admit(engine, ref("forged", POD, owner=str(uuid4())), declares(1, kind=POD))
    assert used(engine)["ct"] == 1000


def test_an_owner_in_another_namespace_pays_nothing(engine: Engine) -> None:
    web = ref("web", namespace="mri")
    admit(engine, web, declares(5))
    admit(engine, ref("forged", POD, owner=web.uid), declares(1, kind=POD))
    assert used(engine)["ct"] == 1000


def test_a_pod_taken_from_its_owner_is_charged_by_itself_at_once(engine: Engine) -> None:
    replicas = ref("web-1", REPLICASET)
    pod = ref("web-1-a", POD, owner=replicas.uid)
    see(engine, replicas, 1, declares(1, kind=REPLICASET))
    see(engine, pod, 2, declares(1, kind=POD))
    assert used(engine)["ct"] == 1000
    taken = ObjectRef("ward", "ct", pod.name, POD, pod.uid)
    assert isinstance(admit(engine, taken, declares(1, kind=POD), "2"), Reserved)
    assert used(engine)["ct"] == 2000
    see(engine, pod, 3, declares(1, kind=POD))  # the write was lost: it still has its owner
    assert used(engine)["ct"] == 1000
    assert is_sound(engine)


def test_delete_and_recreate_is_not_charged_twice(engine: Engine, hospital: Hospital) -> None:
    limit(engine, Limit(hospital.ct, CPU, 3000))
    old, new = ref("web"), ref("web")
    admit(engine, old, declares(3))
    see(engine, old, 1, declares(3))
    assert isinstance(admit(engine, new, declares(2)), Reserved)
    assert used(engine)["ct"] == 3000
    see(engine, old, 2, None)
    assert used(engine)["ct"] == 2000
    see(engine, new, 3, declares(2))
    assert (used(engine)["ct"], states(engine)) == (2000, {old.uid: "released", new.uid: "confirmed"})
    assert is_sound(engine)


def test_the_former_is_charged_again_when_its_successor_is_lost(engine: Engine) -> None:
    old, new = ref("web"), ref("web")
    admit(engine, old, declares(1))
    see(engine, old, 1, declares(1))
    admit(engine, new, declares(3))
    assert used(engine)["ct"] == 3000
    later = LATER + timedelta(seconds=1)
    listed = [Observation(old, "1", declares(1), listed_at=later)]
    assert observe_list(engine, "ward", old.kind, listed, version="5", begun_at=later, now=later) == 1
    assert (used(engine)["ct"], states(engine)) == (1000, {old.uid: "confirmed", new.uid: "expired"})


def test_only_a_list_begun_after_the_deadline_rules_on_a_pending_without_an_event(engine: Engine) -> None:
    web = ref("web")
    admit(engine, web, declares(3))
    for begun_at, left in ((LATER, 3000), (LATER + timedelta(seconds=1), 0)):
        with reading(engine) as session:
            assert overdue(session, "ward", LATER + timedelta(seconds=1)) == [web.kind]
        observe_list(engine, "ward", web.kind, [], version="7", begun_at=begun_at, now=begun_at)
        assert used(engine)["ct"] == left
    assert states(engine) == {web.uid: "expired"}


def test_a_late_event_does_not_bring_back_what_was_deleted(engine: Engine) -> None:
    web = ref("web")
    see(engine, web, 1, declares(3))
    see(engine, web, 5, None)
    see(engine, web, 4, declares(2))
    assert used(engine)["ct"] == 0


def test_a_writer_whose_lease_is_over_writes_nothing(engine: Engine) -> None:
    with transaction(engine) as session:
        session.get_one(Scope, "ward").writer_epoch = 4
    with pytest.raises(Fenced):
        observe(engine, Observation(ref("web"), "1", declares(3)), now=NOW, writer=Writer(3))
    observe(engine, Observation(ref("web"), "1", declares(3)), now=NOW, writer=Writer(4))
    assert used(engine)["ct"] == 3000


def test_a_reorganisation_takes_the_charges_along(engine: Engine, hospital: Hospital) -> None:
    admit(engine, ref("web"), declares(3))
    admit(engine, ref("other", namespace="mri"), declares(1))
    stale = proposed(engine, ref("late"), declares(1))
    with transaction(engine) as session:
        session.get_one(Node, hospital.ct).parent_id = hospital.surgery
        path = [str(hospital.ct), str(hospital.surgery), str(hospital.root)]
        session.get_one(Binding, ("ward", "ct")).path = path
        session.flush()
        assert move(session, NOW) == 1
    assert used(engine) == {"ct": 3000, "mri": 1000, "surgery": 3000, "radiology": 1000, "hospital": 4000}
    assert isinstance(reserve(engine, Reservation(stale, now=NOW)), Moved)
    assert is_sound(engine)


def test_a_limit_may_be_cut_below_usage_then_only_decreases_pass(engine: Engine, hospital: Hospital) -> None:
    web = ref("web")
    admit(engine, web, declares(3))
    limit(engine, Limit(hospital.ct, CPU, 1000))
    with reading(engine) as session:
        assert session.exec(select(Breach.over)).all() == [2000]
    assert isinstance(admit(engine, ref("b"), declares(1, 1)), Refused)
    see(engine, web, 2, declares(1))
    assert used(engine)["ct"] == 1000


def test_what_exists_in_a_namespace_without_a_project_is_charged_once_it_has_one(
    engine: Engine, hospital: Hospital
) -> None:
    web = ref("web", namespace="lab")
    see(engine, web, 1, declares(2))
    assert sum(used(engine).values()) == 0
    with transaction(engine) as session:
        path = [str(hospital.mri), str(hospital.radiology), str(hospital.root)]
        session.add(Binding(scope="ward", name="lab", project_id=hospital.mri, path=path))
        session.flush()
        assert move(session, NOW) == 1
    assert used(engine) == {"mri": 2000, "radiology": 2000, "hospital": 2000}


def test_an_audit_finds_a_total_that_is_wrong_and_a_rebuild_mends_it(engine: Engine, hospital: Hospital) -> None:
    admit(engine, ref("web"), declares(3))
    with transaction(engine) as session:
        session.exec(select(Usage).where(Usage.node_id == hospital.radiology)).one().used = 7
    with reading(engine) as session:
        wrong = Difference("usage used", f"{hospital.radiology} {CPU}", 7, 3000)
        assert differences(session) == [wrong]
    with transaction(engine) as session:
        rebuild(session, "ward", NOW)
    assert is_sound(engine)
    with reading(engine) as session:
        cluster = session.get_one(Scope, "ward")
    assert (cluster.epoch, cluster.mode, cluster.relisted_at) == (2, "observe", None)


def test_after_a_restore_of_etcd_versions_start_again(engine: Engine) -> None:
    web, gone = ref("web"), ref("gone")
    see(engine, web, 900, declares(3))
    see(engine, gone, 901, declares(2))
    see(engine, gone, 902, None)
    with transaction(engine) as session:
        rebuild(session, "ward", NOW)
    see(engine, web, 20, declares(1))
    assert used(engine)["ct"] == 1000
    see(engine, gone, 21, declares(2))  # deleted after the backup: it is there again
    assert used(engine)["ct"] == 3000
    assert is_sound(engine)


def test_a_writer_of_the_former_epoch_does_not_end_the_time_of_observing(engine: Engine) -> None:
    before = acquire(engine, "ward", "worker-1", 60)
    assert before is not None
    with transaction(engine) as session:
        rebuild(session, "ward", NOW)
    assert not relisted(engine, "ward", before)
    with reading(engine) as session:
        assert session.get_one(Scope, "ward").mode == "observe"
    after = acquire(engine, "ward", "worker-1", 60)
    assert after is not None
    assert relisted(engine, "ward", after)


def test_nothing_is_kept_twice_for_one_object(engine: Engine) -> None:
    web = ref("web")
    first, second = proposed(engine, web, declares(1)), proposed(engine, web, declares(1))
    assert isinstance(reserve(engine, Reservation(first, now=NOW)), Reserved)
    assert isinstance(reserve(engine, Reservation(second, now=NOW)), Moved)
    assert len(known(engine, web).objects) == 1
    with reading(engine) as session:
        assert session.exec(select(func.count()).select_from(Usage)).one() == 3
    assert used(engine)["ct"] == cpu(1000)[CPU]
