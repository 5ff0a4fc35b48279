"""What a department requires of images is asked of those that are new to a root, and of nothing that runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, delete, select

from governance import clock
from governance.admission.asking import decision_of, denial_of
from governance.admission.facts import ref_of
from governance.admission.model import Decision, Owner, Request
from governance.change import decide as changes
from governance.change.model import AS_ASKED
from governance.change.submit import submit
from governance.compliance.record import take_the_head
from governance.compliance.tables import Attestor, CheckpointRequirement, CheckpointRow
from governance.db.session import reading, transaction
from governance.identity.people import person_by_name, principal_of
from governance.identity.tables import Node
from governance.policy.model import Need
from governance.quota.model import Declaration
from governance.quota.observe import observe
from governance.quota.plan import Observation
from governance.quota.tables import Charge
from governance.units import ResourceList
from governance.web.queries.decisions import decision_page
from governance.web.reader import reader_of
from tests.admission.conftest import Hospital, create, person, scale, training

A, B = "sha256:" + "aa" * 32, "sha256:" + "bb" * 32
IMAGE, OTHER = f"registry.example/ct@{A}", f"registry.example/tool@{B}"
_numbers = count()


@pytest.fixture
def strict(hospital: Hospital) -> Hospital:
    """The hospital with a vuln-scan required of what runs in radiology, at most 30 days old."""
    require(hospital, "radiology", "vuln-scan", days=30)
    return hospital


def require(hospital: Hospital, node: str, type_: str, days: int | None = None) -> None:
    with transaction(hospital.engine) as session:
        node_id = session.exec(select(Node.id).where(Node.name == node)).one()
        age = None if days is None else days * 86_400
        session.add(CheckpointRequirement(node_id=node_id, type=type_, age_max_s=age))
        if session.get(Attestor, ("image-scanner", type_)) is None:
            session.add(Attestor(name="image-scanner", type=type_, public_key=""))


def record(hospital: Hospital, result: str, digest: str = A, **changes: Any) -> None:  # noqa: ANN401
    """A checkpoint, as the compliance room writes it."""
    now = clock.now()
    values = {
        "type": "vuln-scan",
        "result": result,
        "digest": digest,
        "resource": "registry.example/ct",
        "attestor": "image-scanner",
        "key_id": "",
        "at": now,
        "statement_digest": str(next(_numbers)),
        "recorded_at": now,
        "recorded_by": person(hospital, "okafor").id,
        **changes,
    }
    with transaction(hospital.engine) as session:
        row = CheckpointRow(**values)
        session.add(row)
        session.flush()
        take_the_head(session, row)


def runs(*images: str, replicas: int = 2, template: str = "") -> Declaration:
    """A Deployment of pods with these images."""
    return replace(training(replicas, template=template or "+".join(images)), images=images)


def codes(decision: Decision) -> list[str]:
    return [one.code for one in decision.violations]


def see(hospital: Hospital, made: Request, version: str = "2") -> None:
    """The watch sees what was asked for."""
    observe(hospital.engine, Observation(ref_of(made), version, made.declaration), now=clock.now())


def pod_of(made: Request, image: str, **changes: Any) -> Request:  # noqa: ANN401
    """A pod as the ReplicaSet controller makes it for a Deployment."""
    one = replace(runs(image, replicas=1), kind="core/pods", fixed=ResourceList({"count/pods": 1}))
    owner = Owner("apps/deployments", made.name, made.object_uid)
    return replace(
        create(one, name=f"{made.name}-{uuid4().hex[:5]}"),
        kind="core/pods",
        owner=owner,
        actor="system:serviceaccount:kube-system:replicaset-controller",
        controller_made=True,
        **changes,
    )


def test_an_image_without_a_record_for_its_digest_is_denied_with_how_to_mend_it(strict: Hospital) -> None:
    denied = strict.ask(create(runs(IMAGE)))
    assert codes(denied) == ["checkpoint-missing"]
    assert denied.sentences[0].startswith(
        f"image {IMAGE} has no vuln-scan for its digest, which radiology requires; "
        f"record one: governance checkpoint record --type vuln-scan --digest {A}"
    )
    assert strict.count(Charge) == 0


def test_a_record_for_its_digest_lets_it_pass_under_whatever_name(strict: Hospital) -> None:
    record(strict, "pass")
    assert strict.ask(create(runs(f"mirror.example/other:7@{A}"))).allowed
    assert not strict.ask(create(runs(OTHER), name="second")).allowed


def test_a_department_that_requires_nothing_asks_nothing(hospital: Hospital) -> None:
    assert hospital.ask(create(runs("ct:7"))).allowed


def test_a_later_failure_beats_an_earlier_pass_and_a_later_pass_beats_that(strict: Hospital) -> None:
    now = clock.now()
    record(strict, "pass", at=now - timedelta(hours=3))
    record(strict, "fail", at=now - timedelta(hours=2))
    denied = strict.ask(create(runs(IMAGE)))
    assert codes(denied) == ["checkpoint-failed"]
    assert f"the newest vuln-scan of image {IMAGE} failed" in denied.sentences[0]
    record(strict, "pass", at=now - timedelta(hours=4))  # told later, of an earlier scan
    assert not strict.ask(create(runs(IMAGE))).allowed
    record(strict, "pass", at=now - timedelta(hours=1))
    assert strict.ask(create(runs(IMAGE))).allowed


@pytest.mark.parametrize("order", [("pass", "fail"), ("fail", "pass")])
def test_of_the_same_moment_the_failure_counts(strict: Hospital, order: tuple[str, str]) -> None:
    now = clock.now()
    for result in order:
        record(strict, result, at=now)
    assert codes(strict.ask(create(runs(IMAGE)))) == ["checkpoint-failed"]


def ends(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"at": clock.now() - timedelta(days=10), **changes}


def test_a_record_ends_by_age_and_by_itself(strict: Hospital) -> None:
    at = clock.now() - timedelta(days=30, minutes=1)
    record(strict, "pass", at=at)
    denied = strict.ask(create(runs(IMAGE)))
    assert codes(denied) == ["checkpoint-expired"]
    assert f"holds no longer than {at + timedelta(days=30):%Y-%m-%d %H:%M} UTC for radiology" in denied.sentences[0]
    record(strict, "pass", digest=B, **ends(until=clock.now() - timedelta(minutes=1)))
    assert codes(strict.ask(create(runs(OTHER)))) == ["checkpoint-expired"]
    record(strict, "pass", digest=B, **ends(until=clock.now() + timedelta(minutes=1), at=clock.now()))
    assert strict.ask(create(runs(OTHER))).allowed


def test_requirements_of_the_whole_path_add_up_and_the_strictest_age_holds(strict: Hospital) -> None:
    require(strict, "st-elisabeth", "sbom")
    require(strict, "st-elisabeth", "vuln-scan", days=5)
    require(strict, "pathology", "license")
    require(strict, "ct-training", "vuln-scan", days=60)
    record(strict, "pass", at=clock.now() - timedelta(days=6))
    denied = strict.ask(create(runs(IMAGE)))
    assert [(one.code, one.values["type"], one.values["node"]) for one in denied.violations] == [
        ("checkpoint-expired", "vuln-scan", "st-elisabeth"),
        ("checkpoint-missing", "sbom", "st-elisabeth"),
    ]


def test_an_image_by_tag_alone_is_refused_and_nobody_can_except_it(strict: Hospital) -> None:
    denied = strict.ask(create(runs("registry.example/ct:7")))
    assert codes(denied) == ["image-without-digest"]
    assert "registry.example/ct:7 is named by a tag alone" in denied.sentences[0]
    assert not denied.askable


def test_every_image_of_the_pod_is_asked_about(strict: Hospital) -> None:
    record(strict, "pass")
    denied = strict.ask(create(runs(IMAGE, OTHER, "init:1")))
    assert [(one.code, one.values["image"]) for one in denied.violations] == [
        ("checkpoint-missing", OTHER),
        ("image-without-digest", "init:1"),
    ]


def test_a_dry_run_says_the_same_and_writes_nothing(strict: Hospital) -> None:
    denied = strict.ask(create(runs(IMAGE), dry_run=True))
    assert codes(denied) == ["checkpoint-missing"]
    assert strict.rows("deny") == []
    record(strict, "pass")
    assert strict.ask(create(runs(IMAGE), dry_run=True)).allowed
    assert strict.count(Charge) == 0


def test_an_attestor_that_is_no_longer_allowed_is_no_longer_believed(strict: Hospital) -> None:
    record(strict, "pass")
    record(strict, "fail", attestor="somebody", at=clock.now() + timedelta(seconds=1))
    assert strict.ask(create(runs(IMAGE), name="first")).allowed
    with transaction(strict.engine) as session:
        session.exec(delete(Attestor).where(col(Attestor.type) == "vuln-scan"))
    assert codes(strict.ask(create(runs(IMAGE), name="second"))) == ["checkpoint-missing"]


# What runs goes on.


@pytest.fixture
def running(strict: Hospital) -> tuple[Hospital, Request]:
    """A Deployment that was admitted with a passed scan, and whose image fails now."""
    record(strict, "pass", at=clock.now() - timedelta(minutes=1))
    made = create(runs(IMAGE))
    assert strict.ask(made).allowed
    see(strict, made)
    record(strict, "fail")
    return strict, made


def test_a_new_root_is_denied_and_a_scale_of_what_runs_is_not(running: tuple[Hospital, Request]) -> None:
    hospital, made = running
    assert codes(hospital.ask(create(runs(IMAGE), name="second"))) == ["checkpoint-failed"]
    assert hospital.ask(scale(made, 3, resource_version="2")).allowed


def test_an_apply_of_the_same_images_is_not_asked_again(running: tuple[Hospital, Request]) -> None:
    hospital, made = running
    more = replace(
        made,
        uid=str(uuid4()),
        operation="UPDATE",
        resource_version="2",
        declaration=runs(IMAGE, replicas=3, template="larger"),
        declaration_before=made.declaration,
    )
    assert hospital.ask(more).allowed


def test_what_the_ledger_has_not_seen_yet_is_known_by_what_stood_there_before(strict: Hospital) -> None:
    made = create(runs(IMAGE))
    after = replace(
        made,
        operation="UPDATE",
        resource_version="1",
        declaration=runs(IMAGE, replicas=3, template="x"),
        declaration_before=made.declaration,
    )
    assert strict.ask(after).allowed


def test_a_changed_image_is_asked_about_and_only_that(running: tuple[Hospital, Request]) -> None:
    hospital, made = running
    changed = replace(
        made,
        uid=str(uuid4()),
        operation="UPDATE",
        resource_version="2",
        declaration=runs(IMAGE, OTHER),
        declaration_before=made.declaration,
    )
    denied = hospital.ask(changed)
    assert [(one.code, one.values["image"]) for one in denied.violations] == [("checkpoint-missing", OTHER)]
    record(hospital, "pass", digest=B)
    assert hospital.ask(replace(changed, uid=str(uuid4()))).allowed


def test_while_a_change_is_under_way_what_was_admitted_before_and_after_is_known(
    running: tuple[Hospital, Request],
) -> None:
    hospital, made = running
    record(hospital, "pass", digest=B)
    stands = replace(made, operation="UPDATE", resource_version="2")
    first = replace(stands, uid=str(uuid4()), declaration=runs(OTHER), declaration_before=made.declaration)
    assert hospital.ask(first).allowed
    back = replace(stands, uid=str(uuid4()), declaration=made.declaration, declaration_before=runs(OTHER))
    assert hospital.ask(back).allowed  # the failed image stands there still, until the watch sees the other


def test_controllers_pods_draw_on_what_was_admitted(running: tuple[Hospital, Request]) -> None:
    hospital, made = running
    assert hospital.ask(pod_of(made, IMAGE)).allowed
    assert hospital.ask(pod_of(made, "injected-by-a-webhook:1")).allowed


def test_a_controllers_pod_that_adds_to_its_root_is_not_asked_for_checkpoints_either(
    running: tuple[Hospital, Request],
) -> None:
    hospital, made = running
    for number in range(3):  # the third is more than the root is charged for, so policy is asked
        decision = hospital.ask(pod_of(made, f"injected-by-a-webhook:{number}"))
        assert not {one.partition("-")[0] for one in codes(decision)} & {"checkpoint", "image"}


def test_a_persons_pod_that_claims_an_owner_is_a_root_of_its_own(running: tuple[Hospital, Request]) -> None:
    hospital, made = running
    forged = replace(pod_of(made, IMAGE), controller_made=False, actor="okafor")
    assert codes(hospital.ask(forged)) == ["checkpoint-failed"]


def test_a_controllers_pod_whose_root_nobody_admitted_is_asked_about(strict: Hospital) -> None:
    stranger = pod_of(create(runs(IMAGE)), IMAGE)
    assert "checkpoint-missing" in codes(strict.ask(replace(stranger, owner=None)))


def test_deleted_and_made_again_is_a_new_root(running: tuple[Hospital, Request]) -> None:
    hospital, made = running
    again = replace(made, uid=str(uuid4()), object_uid=str(uuid4()))
    assert codes(hospital.ask(again)) == ["checkpoint-failed"]


def test_a_machine_image_of_a_cloud_has_no_digest_and_is_not_asked_about(strict: Hospital) -> None:
    assert strict.ask(create(runs("ami-0abc"), provider="aws")).allowed


def test_a_cluster_that_observes_is_told_and_refused_nothing(strict: Hospital) -> None:
    strict.switch("observe")
    decision = strict.ask(create(runs(IMAGE)))
    assert decision.allowed
    assert [one.code for one in decision.warnings] == ["checkpoint-missing"]


# An exception.


def approve(hospital: Hospital, denied: Decision) -> None:
    now = clock.now()
    with transaction(hospital.engine) as session:
        denial = denial_of(session, decision_of(session, denied.id))
        assert denial.approvals == (Need(denied.violations[0].code, "approver@radiology", 1, 1),)
        okafor, lindqvist = person(hospital, "okafor").id, person(hospital, "lindqvist").id
        change = submit(session, denial, okafor, "The scanner is down.", "", None, now + timedelta(days=1), now)
        changes.decide(session, change.id, lindqvist, "approve", "", AS_ASKED, change.version, now)


def test_an_approver_of_the_department_can_except_a_missing_one_once(strict: Hospital) -> None:
    made = create(runs(IMAGE))
    approve(strict, strict.ask(made))
    assert strict.ask(replace(made, uid=str(uuid4()))).allowed
    assert codes(strict.ask(create(runs(IMAGE), name="second"))) == ["checkpoint-missing"]


def test_what_was_approved_without_a_scan_is_not_approved_with_a_failed_one(strict: Hospital) -> None:
    made = create(runs(IMAGE))
    approve(strict, strict.ask(made))
    record(strict, "fail")
    assert codes(strict.ask(replace(made, uid=str(uuid4())))) == ["checkpoint-failed"]


def test_a_decision_keeps_what_was_asked_and_how_it_stood(strict: Hospital) -> None:
    at = clock.now().replace(microsecond=0)
    record(strict, "pass", at=at)
    strict.ask(create(runs(IMAGE)))
    (row,) = strict.rows("allow")
    (asked,) = row.facts["checkpoints"]
    assert (asked["image"], asked["type"], asked["result"], asked["at_s"]) == (
        IMAGE,
        "vuln-scan",
        "pass",
        int(at.timestamp()),
    )
    assert asked["valid_until_s"] == int((at + timedelta(days=30)).timestamp())
    with reading(strict.engine) as session:
        reader = reader_of(principal_of(session, person_by_name(session, "lindqvist"), clock.now()), clock.now())
        page = decision_page(session, reader, str(row.id), {})
    told = [(one.name, one.value, one.detail) for one in page.known if one.name.startswith("Checkpoint")]
    assert told == [("Checkpoint vuln-scan", IMAGE, "passed, asked for at radiology")]


def test_two_images_denied_for_the_same_reason_are_two_denials(strict: Hospital) -> None:
    strict.ask(create(runs(IMAGE)))
    strict.ask(create(runs(IMAGE)))
    strict.ask(create(runs(OTHER)))
    assert sorted(one.count for one in strict.rows("deny")) == [1, 2]
