"""Applying for real, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from governance.audit.tables import AuditEvent
from governance.change.tables import ApprovalRule, Freeze
from governance.configuration.apply import Applier, apply, plan
from governance.configuration.in_force import items_at, revision_in_force
from governance.configuration.model import Applied, FieldChange, InvalidConfiguration, SourceFile
from governance.configuration.tables import ConfigItem, ConfigRevision
from governance.db.base import Table
from governance.db.session import reading, transaction
from governance.db.types import new_id
from governance.errors import Conflict, StaleVersion
from governance.identity.people import delegates_of
from governance.identity.tables import GroupMember, Node, Person, PersonIdentity, RoleBinding
from governance.quota.tables import Binding, Charge, Scope, Usage
from tests.configuration.manifests import EXAMPLE, SMALL, example, small

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SATO = Applier(None, "sato")


def do(
    engine: Engine, files: list[SourceFile] | None = None, base: int | None = None, deletes: bool = False
) -> Applied:
    return apply(engine, small() if files is None else files, SATO, NOW, base=base, deletes=deletes)


def node(session: Session, name: str) -> Node:
    return session.exec(select(Node).where(Node.name == name)).one()


def count(session: Session, table: type[Table]) -> int:
    return int(session.exec(select(func.count()).select_from(table)).one())


def charge(session: Session, project: UUID, path: list[str], name: str = "ct/viewer") -> Charge:
    row = Charge(
        id=new_id(),
        scope="onprem",
        kind="apps/deployments",
        native_id=name,
        incarnation=str(new_id()),
        project_id=project,
        path=path,
        state="confirmed",
        created_at=NOW,
        updated_at=NOW,
    )
    session.add(row)
    return row


def test_the_first_apply_makes_revision_one_and_every_row(engine: Engine) -> None:
    applied = do(engine)
    assert applied.revision == 1
    with reading(engine) as session:
        assert [
            (one.name, one.depth) for one in session.exec(select(Node).order_by(col(Node.depth), col(Node.name)))
        ] == [
            ("hospital", 0),
            ("imaging", 1),
            ("radiology", 2),
            ("ct", 3),
        ]
        okafor = session.exec(select(Person).where(Person.name == "okafor")).one()
        assert node(session, "ct").owner_id == okafor.id
        roles = session.exec(select(RoleBinding).where(RoleBinding.person_id == okafor.id)).all()
        assert [(one.role, one.node_id) for one in roles] == [("requester", node(session, "radiology").id)]
        identities = session.exec(select(PersonIdentity).where(PersonIdentity.person_id == okafor.id)).all()
        assert {(one.provider, one.subject) for one in identities} == {
            ("oidc", "okafor@example.org"),
            ("kubernetes", "okafor"),
        }
        assert count(session, GroupMember) == 1
        assert session.get_one(Scope, "onprem").labels == {"location": "on-premises"}
        namespace = session.get_one(Binding, ("onprem", "ct"))
        path = [str(node(session, name).id) for name in ("ct", "radiology", "imaging", "hospital")]
        assert (namespace.path, namespace.project_id, namespace.revision) == (path, node(session, "ct").id, 1)
        gpu = session.get_one(Usage, (node(session, "radiology").id, "", "requests.nvidia.com/gpu"))
        assert (gpu.hard, gpu.rule, gpu.depth) == (4, "radiology", 2)
        rule = session.get_one(ApprovalRule, "big")
        assert rule.node_id == node(session, "imaging").id
        assert rule.when == {
            "environments": ["production"],
            "kinds": [],
            "above": {"requests.cpu": 4000},
            "overrun": False,
        }
        assert rule.require == [{"group": "platform", "minimum": 1, "deny_minimum": 1}]


def test_a_second_apply_changes_nothing_and_makes_no_revision(engine: Engine) -> None:
    do(engine, example())
    again = do(engine, example())
    assert (again.revision, again.plan.empty) == (1, True)
    with reading(engine) as session:
        assert count(session, ConfigRevision) == 1
        assert count(session, AuditEvent) == 1


def test_a_bad_file_is_refused_whole(engine: Engine) -> None:
    do(engine)
    before = items(engine)
    bad = SourceFile("z.yaml", b"apiVersion: governance.io/v1\nkind: Group\nmetadata: {name: x}\nspec: {}\n")
    with pytest.raises(InvalidConfiguration, match=r"z\.yaml:4: Group/x spec\.members: It is missing"):
        do(engine, [*small({"Quota/radiology": None}), bad], deletes=True)
    assert items(engine) == before


def items(engine: Engine, revision: int | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    with reading(engine) as session:
        return items_at(session, revision)


def test_an_earlier_revision_can_be_read_as_it_was(engine: Engine) -> None:
    do(engine)
    before = items(engine)
    do(engine, small({"Department/imaging": {"title": "Pictures", "parent": "hospital"}}))
    do(engine, small({"ApprovalRule/big": None}), deletes=True)
    assert items(engine, 1) == before
    assert items(engine, 2)["Department", "imaging"] == {"title": "Pictures", "parent": "hospital"}
    assert ("ApprovalRule", "big") not in items(engine, 3)
    assert items(engine) == items(engine, 3)
    with reading(engine) as session:
        assert revision_in_force(session) == 3
        numbers = session.exec(select(ConfigRevision.number).order_by(col(ConfigRevision.number))).all()
        assert list(numbers) == [1, 2, 3]


def test_an_apply_stands_in_the_audit_log_with_what_it_changed(engine: Engine) -> None:
    do(engine)
    do(engine, small({"Department/imaging": {"title": "Pictures", "parent": "hospital"}}))
    with reading(engine) as session:
        event = session.exec(select(AuditEvent).where(AuditEvent.subject_id == "2")).one()
    assert (event.actor, event.action, event.before) == ("sato", "configuration.apply", {"revision": 1})
    assert event.after is not None
    assert event.after["changes"] == [
        {"action": "update", "kind": "Department", "name": "imaging", "fields": {"title": ["Imaging", "Pictures"]}}
    ]


def test_a_plan_writes_nothing(engine: Engine) -> None:
    made = plan(engine, small())
    assert made.base == 0
    with reading(engine) as session:
        assert count(session, ConfigItem) == count(session, Node) == 0


def test_a_plan_that_another_apply_overtook_is_refused(engine: Engine) -> None:
    base = plan(engine, small()).base
    do(engine, small({"ApprovalRule/big": None}))
    with pytest.raises(StaleVersion, match="against revision 0, and revision 1 is in force"):
        do(engine, base=base)
    assert do(engine, base=1).revision == 2


def test_deleting_needs_to_be_allowed(engine: Engine) -> None:
    do(engine)
    without = small({"ApprovalRule/big": None})
    with pytest.raises(Conflict, match="leave out what is in force: ApprovalRule/big"):
        do(engine, without)
    assert do(engine, without, deletes=True).revision == 2
    with reading(engine) as session:
        assert count(session, ApprovalRule) == 0


PROJECT_GONE: dict[str, Any] = {"Project/ct": None, "NamespaceBinding/ct": None}


def test_a_project_that_still_has_charges_cannot_be_deleted(engine: Engine) -> None:
    do(engine)
    with transaction(engine) as session:
        charge(session, node(session, "ct").id, [])
    with pytest.raises(
        Conflict, match=r"project ct cannot be deleted: it holds 1 charge \(apps/deployments ct/viewer\)"
    ):
        do(engine, small(PROJECT_GONE), deletes=True)
    with reading(engine) as session:
        assert node(session, "ct").retired_at is None
        assert revision_in_force(session) == 1


def test_a_department_that_still_has_charges_cannot_be_deleted(engine: Engine) -> None:
    do(engine)
    with transaction(engine) as session:
        charge(session, node(session, "ct").id, [])
    gone = {**PROJECT_GONE, "Department/radiology": None, "Quota/radiology": None}
    people = {name: {**SMALL[name], "roles": []} for name in ("Person/okafor", "Person/lindqvist")}
    with pytest.raises(Conflict, match="project ct of the department radiology cannot be deleted"):
        do(engine, small({**gone, **people}), deletes=True)


def test_a_cluster_that_still_has_charges_cannot_be_deleted(engine: Engine) -> None:
    do(engine)
    with transaction(engine) as session:
        charge(session, node(session, "ct").id, [])
    with pytest.raises(Conflict, match="cluster onprem cannot be deleted"):
        do(engine, small({"Cluster/onprem": None, "NamespaceBinding/ct": None}), deletes=True)


def test_a_project_moves_with_its_charges(engine: Engine) -> None:
    do(engine)
    with transaction(engine) as session:
        old = [str(node(session, name).id) for name in ("ct", "radiology", "imaging", "hospital")]
        held = charge(session, node(session, "ct").id, old)
        held.level = {"requests.cpu": 3000}
    do(engine, small({"Project/ct": {**SMALL["Project/ct"], "department": "imaging"}}))
    assert drawn(engine) == {
        "ct": (3000, 3000),
        "radiology": (0, 0),
        "imaging": (3000, 3000),
        "hospital": (3000, 3000),
    }
    with reading(engine) as session:
        assert session.exec(select(Charge.path)).one() == [old[0], old[2], old[3]]


def test_a_deleted_projects_charges_follow_their_namespace_to_another(engine: Engine) -> None:
    do(engine)
    with transaction(engine) as session:
        charge(session, node(session, "ct").id, [str(node(session, "ct").id)])
    other: dict[str, Any] = {
        "Project/ct": None,
        "Project/mr": SMALL["Project/ct"],
        "NamespaceBinding/ct": {**SMALL["NamespaceBinding/ct"], "project": "mr"},
    }
    do(engine, small(other), deletes=True)
    with reading(engine) as session:
        assert session.exec(select(Charge.project_id)).one() == node(session, "mr").id


def test_a_department_moves_with_its_guarantee_and_the_way_of_its_namespaces(engine: Engine) -> None:
    quotas: dict[str, Any] = {
        "Quota/hospital": {"for": {"department": "hospital"}, "hard": {"cpu": 20}},
        "Quota/radiology": {"for": {"department": "radiology"}, "hard": {"cpu": 10}, "lendingLimit": {"cpu": 4}},
    }
    do(engine, small(quotas))
    do(engine, small({**quotas, "Department/radiology": {"title": "Radiology", "parent": "hospital"}}))
    assert drawn(engine) == {"ct": (0, 0), "radiology": (0, 6000), "imaging": (0, 0), "hospital": (6000, 20000)}
    with reading(engine) as session:
        path = [str(node(session, name).id) for name in ("ct", "radiology", "hospital")]
        assert session.get_one(Binding, ("onprem", "ct")).path == path
        assert [node(session, name).depth for name in ("radiology", "ct")] == [1, 2]


def test_a_deleted_project_is_retired_and_comes_back_as_itself(engine: Engine) -> None:
    do(engine)
    with reading(engine) as session:
        was = node(session, "ct").id
    do(engine, small(PROJECT_GONE), deletes=True)
    with reading(engine) as session:
        assert node(session, "ct").retired_at == NOW
        assert session.get_one(Binding, ("onprem", "ct")).project_id is None
    do(engine)
    with reading(engine) as session:
        row = node(session, "ct")
        assert (row.id, row.retired_at) == (was, None)
        assert session.get_one(Binding, ("onprem", "ct")).project_id == was


def test_a_department_gets_an_owner_and_loses_it(engine: Engine) -> None:
    do(engine)
    imaging = SMALL["Department/imaging"]
    for owner, change in (("lindqvist", [None, "lindqvist"]), (None, ["lindqvist", None])):
        applied = do(engine, small({"Department/imaging": {**imaging, **({"owner": owner} if owner else {})}}))
        (line,) = applied.plan.differences
        assert (line.kind, line.name, line.fields) == ("Department", "imaging", (FieldChange("owner", *change),))
        with reading(engine) as session:
            people = {one.id: one.name for one in session.exec(select(Person))}
            owners = [node(session, name).owner_id for name in ("ct", "radiology", "imaging", "hospital")]
            assert [one and people[one] for one in owners] == ["okafor", None, owner, None]


def test_a_person_who_is_left_out_can_no_longer_act(engine: Engine) -> None:
    do(engine)
    do(engine, small({"Person/okafor": None, "Project/ct": {**SMALL["Project/ct"], "owner": "sato"}}), deletes=True)
    with reading(engine) as session:
        okafor = session.exec(select(Person).where(Person.name == "okafor")).one()
        assert not okafor.active
        for table in (RoleBinding, PersonIdentity):
            assert session.exec(select(table).where(table.person_id == okafor.id)).all() == []


def test_a_delegate_stands_in_for_the_time_that_the_manifest_says_and_no_longer_without_it(engine: Engine) -> None:
    away = {"person": "sato", "since": "2026-12-24T01:00:00+01:00", "until": "2027-01-02T00:00:00Z"}
    do(engine, small({"Person/lindqvist": {**SMALL["Person/lindqvist"], "delegates": [away]}}))
    begins, ends = datetime(2026, 12, 24, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC)
    assert stand_ins(engine, begins - timedelta(seconds=1)) == []
    assert stand_ins(engine, begins) == ["sato"]
    assert stand_ins(engine, ends) == []
    do(engine, small(), deletes=True)
    assert stand_ins(engine, begins) == []


def stand_ins(engine: Engine, at: datetime) -> list[str]:
    with reading(engine) as session:
        lindqvist = session.exec(select(Person).where(Person.name == "lindqvist")).one()
        return [one.name for one in delegates_of(session, lindqvist.id, at)]


def test_an_identity_can_pass_from_one_person_to_another(engine: Engine) -> None:
    do(engine)
    okafor = {**SMALL["Person/okafor"], "identities": {}}
    sato = {**SMALL["Person/sato"], "identities": {"oidc": ["okafor@example.org", "sato@example.org"]}}
    do(engine, small({"Person/okafor": okafor, "Person/sato": sato}))
    with reading(engine) as session:
        owner = session.exec(
            select(Person.name)
            .join(PersonIdentity, col(PersonIdentity.person_id) == col(Person.id))
            .where(PersonIdentity.subject == "okafor@example.org")
        ).one()
    assert owner == "sato"


def test_guarantees_reserve_their_share_of_the_parent(engine: Engine) -> None:
    quotas: dict[str, Any] = {
        "Quota/hospital": {"for": {"department": "hospital"}, "hard": {"cpu": 20}},
        "Quota/radiology": {"for": {"department": "radiology"}, "hard": {"cpu": 10}, "lendingLimit": {"cpu": 4}},
    }
    do(engine, small(quotas))
    assert drawn(engine) == {"ct": (0, 0), "radiology": (0, 6000), "imaging": (6000, 6000), "hospital": (6000, 20000)}
    quotas["Quota/radiology"]["lendingLimit"] = {}
    do(engine, small(quotas))
    assert drawn(engine) == {"ct": (0, 0), "radiology": (0, 0), "imaging": (0, 0), "hospital": (0, 20000)}


def drawn(engine: Engine) -> dict[str, tuple[int, int]]:
    found = {"ct": (0, 0)}
    with reading(engine) as session:
        query = select(Node.name, Usage.used, Usage.drawn).join(Usage, col(Usage.node_id) == col(Node.id))
        for name, used, passed_up in session.exec(query.where(Usage.resource == "requests.cpu")):
            found[name] = (used, passed_up)
    return found


def test_a_limit_that_is_left_out_is_lifted(engine: Engine) -> None:
    do(engine)
    do(engine, small({"Quota/radiology": {"for": {"department": "radiology"}, "hard": {"cpu": "10"}}}))
    with reading(engine) as session:
        gpu = session.get_one(Usage, (node(session, "radiology").id, "", "requests.nvidia.com/gpu"))
        assert (gpu.hard, gpu.rule) == (None, "")


def test_applies_at_the_same_time_make_gapless_revisions(engine: Engine) -> None:
    do(engine)
    failures: list[BaseException] = []

    def one(number: int) -> None:
        try:
            do(engine, small({"Department/imaging": {"title": f"Imaging {number}", "parent": "hospital"}}))
        except BaseException as error:  # noqa: BLE001  (told to the test)
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with reading(engine) as session:
        numbers = list(session.exec(select(ConfigRevision.number).order_by(col(ConfigRevision.number))))
        assert numbers == list(range(1, 8))
        open_items = session.exec(
            select(ConfigItem).where(ConfigItem.name == "imaging", col(ConfigItem.to_revision).is_(None))
        ).all()
        assert [one.from_revision for one in open_items] == [7]


def test_a_calendar_becomes_freezes_and_ends_with_its_manifest(engine: Engine) -> None:
    calendar = (EXAMPLE / "turn-of-the-year.ics").read_text()
    spec = {"at": "imaging", "environments": ["production"], "timeZone": "Europe/Vienna", "calendar": calendar}
    do(engine, small({"FreezeCalendar/winter": spec}))
    with reading(engine) as session:
        freeze = session.exec(select(Freeze).order_by(col(Freeze.starts_at))).first()
        assert freeze is not None
        assert (freeze.calendar, freeze.node_id) == ("winter", node(session, "imaging").id)
        assert freeze.starts_at == datetime(2026, 12, 20, 17, 0, tzinfo=UTC)
    do(engine, deletes=True)
    with reading(engine) as session:
        assert count(session, Freeze) == 0
