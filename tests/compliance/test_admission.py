"""What a department requires is asked of each image that is new to a workload, and of no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import select

from governance.admission.facts import ref_of
from governance.admission.model import Request
from governance.admission.tables import DecisionRow
from governance.change.tables import Grant
from governance.clock import now
from governance.compliance.tables import CheckpointRule
from governance.db.session import reading, transaction
from governance.identity.organisation import node_named
from governance.quota.model import Declaration
from governance.quota.observe import observe
from governance.quota.plan import Observation
from tests.admission.conftest import approve, create, person, scale, training
from tests.compliance.conftest import Hospital
from tests.compliance.signing import DIGEST, IMAGE, PASSED, envelope
from tests.compliance.test_record import send

OTHER = f"registry.example/other@sha256:{'5a' * 32}"
HOUR = timedelta(hours=1)


@pytest.fixture
def required(scanned: Hospital) -> Hospital:
    """Radiology requires what pathology did."""
    with transaction(scanned.engine) as session:
        session.execute(update(CheckpointRule).values(node_id=node_named(session, "radiology").id))
    return scanned


def app(*images: str, replicas: int = 1, template: str = "t1") -> Declaration:
    return replace(training(replicas, gpus=0, template=template), images=images or (IMAGE,))


def reasons(hospital: Hospital, request: Request) -> list[str]:
    """Why a request is denied; empty: it is allowed."""
    decision = hospital.ask(request)
    assert all(one.code == "checkpoint" for one in decision.violations)
    return [str(one.values["reason"]) for one in decision.violations]


def seen(hospital: Hospital, request: Request, version: str = "1") -> None:
    """The cluster tells that it is there."""
    observe(hospital.engine, Observation(ref_of(request), version, request.declaration), now=now())


def test_an_image_without_its_scan_is_denied_and_passes_once_it_is_recorded(required: Hospital) -> None:
    denied = required.ask(create(app()))
    said = f"image {IMAGE} has no vuln-scan, required at radiology (to record one: governance checkpoint record)"
    assert denied.sentences[0].startswith(said)
    send(required, envelope())
    assert reasons(required, create(app())) == []


def test_an_image_named_by_a_tag_alone_is_denied_though_it_was_scanned(required: Hospital) -> None:
    send(required, envelope())
    assert reasons(required, create(app("registry.example/slides:1"))) == ["no-digest"]
    assert reasons(required, create(app(f"registry.example/slides:1@{DIGEST}"))) == []


def test_every_container_counts(required: Hospital) -> None:
    send(required, envelope())
    assert reasons(required, create(app(IMAGE, OTHER))) == ["missing"]


def test_a_failed_or_old_scan_is_denied(required: Hospital) -> None:
    send(required, envelope(result="fail"))
    assert reasons(required, create(app())) == ["failed"]
    send(required, envelope(at=PASSED.at + HOUR / 2))
    assert reasons(required, create(app())) == []
    send(required, envelope(digest=f"sha256:{'5a' * 32}", at=now() - timedelta(days=31)))
    assert reasons(required, create(app(OTHER))) == ["expired"]


def test_what_runs_is_asked_for_new_images_alone(required: Hospital) -> None:
    send(required, envelope())
    made = create(app())
    assert reasons(required, made) == []
    seen(required, made)
    send(required, envelope(result="fail", at=PASSED.at + HOUR / 2))
    assert reasons(required, scale(made, 3)) == []
    wider = app(replicas=1, template="t2")
    update_ = replace(
        made, operation="UPDATE", uid="u2", declaration=wider, declaration_before=made.declaration, resource_version="1"
    )
    assert reasons(required, update_) == []
    assert reasons(required, replace(update_, uid="u3", declaration=app(IMAGE, OTHER, template="t3"))) == ["missing"]
    assert reasons(required, create(app(), name="anew")) == ["failed"]


def test_what_ran_before_it_was_required_is_not_asked(required: Hospital) -> None:
    made = create(app("registry.example/old:1"))
    seen(required, made)
    assert reasons(required, scale(made, 2)) == []


def test_another_environment_or_department_is_not_asked(required: Hospital) -> None:
    with transaction(required.engine) as session:
        session.execute(update(CheckpointRule).values(environments=["production"]))
    assert reasons(required, create(app())) == []  # ct-training is research
    with transaction(required.engine) as session:
        medicine = node_named(session, "medicine").id
        session.execute(update(CheckpointRule).values(environments=[], node_id=medicine))
    assert reasons(required, create(app(), name="other")) == []


def test_a_dry_run_says_the_same_and_writes_nothing(required: Hospital) -> None:
    before = required.count(DecisionRow)
    assert reasons(required, create(app(), dry_run=True)) == ["missing"]
    assert required.count(DecisionRow) == before


def test_a_cluster_that_only_warns_is_told(required: Hospital) -> None:
    required.switch("warn", warn_until=now() + HOUR, warn_by="sato", warn_reason="a test")
    decision = required.ask(create(app()))
    assert decision.allowed
    assert [one.code for one in decision.warnings] == ["checkpoint"]


def test_an_approved_exception_holds_for_that_image_alone(required: Hospital) -> None:
    asked = create(app())
    denied = required.ask(asked)
    assert denied.askable
    approve(required, denied)
    with reading(required.engine) as session:
        (grant,) = session.exec(select(Grant)).all()
    assert "checkpoint" in grant.waives
    assert reasons(required, replace(asked, uid="again", declaration=app(OTHER, template="t2"))) == ["missing"]
    assert reasons(required, replace(asked, uid="once")) == []


def test_what_was_asked_stands_in_the_decision(required: Hospital) -> None:
    required.ask(create(app()))
    (row,) = required.rows("deny")
    assert [(one["type"], one["result"]) for one in row.facts["checkpoints"]] == [("vuln-scan", "")]
    assert person(required, "okafor").id
