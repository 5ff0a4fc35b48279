"""Autoscalers: what they may set is asked about once, where policy charges the maximum, and every scale up to it is no
change any more. Both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from governance import clock
from governance.admission.asking import decision_of, denial_of
from governance.admission.model import Request
from governance.admission.tables import DecisionRow
from governance.change import grants
from governance.change.model import Terms
from governance.change.tables import Freeze, Grant
from governance.db.session import reading, transaction
from governance.errors import BadInput
from governance.identity.tables import Node
from governance.quota.limits import move
from governance.quota.model import AUTOSCALER, Declaration, name_key
from governance.quota.observe import observe
from governance.quota.plan import ObjectRef, Observation
from governance.quota.tables import Binding
from governance.units import ResourceList
from tests.admission.conftest import CLUSTER, GPU, Hospital, approve, create, scale, training

ACTOR = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
COUNT = ResourceList({"count/horizontalpodautoscalers.autoscaling": 1})
TARGET = name_key("apps/deployments", "ct-training", "ct-train")


@pytest.fixture
def charged(hospital: Hospital) -> Hospital:
    """The hospital, which charges what autoscalers may set."""
    set_policy(hospital, "maximum")
    return hospital


def set_policy(hospital: Hospital, autoscaling: str) -> None:
    with transaction(hospital.engine) as session:
        session.execute(update(Binding).values(autoscaling=autoscaling))
        move(session, clock.now())


def freeze(hospital: Hospital) -> None:
    with transaction(hospital.engine) as session:
        root = session.scalars(select(Node).where(col(Node.depth) == 0)).one()
        starts, ends = clock.now() - timedelta(hours=1), clock.now() + timedelta(days=9)
        session.add(
            Freeze(
                node_id=root.id,
                calendar="go-live",
                summary="Go-live",
                environments=[],
                starts_at=starts,
                ends_at=ends,
            )
        )


def up_to(maximum: int) -> Declaration:
    return Declaration(AUTOSCALER, 0, ResourceList(), fixed=COUNT, target=TARGET, maximum=maximum)


def autoscaler(maximum: int) -> Request:
    """The wish to make an autoscaler of ct-train."""
    return create(up_to(maximum), "ct-train", kind=AUTOSCALER, changes={"spec.maxReplicas": maximum})


def raised(of: Request, maximum: int) -> Request:
    """The wish to let it set more."""
    return replace(
        of,
        uid=str(uuid4()),
        operation="UPDATE",
        resource_version="1",
        declaration=up_to(maximum),
        declaration_before=of.declaration,
        changes={"spec.maxReplicas": maximum},
    )


def saw(hospital: Hospital, request: Request, version: int, declaration: Declaration | None) -> None:
    """The watch tells of an object."""
    ref = ObjectRef(CLUSTER, request.namespace, request.name, request.kind, request.object_uid)
    ref = replace(ref, target=declaration.target) if declaration else ref
    now = clock.now()
    observe(
        hospital.engine,
        Observation(ref, str(version), declaration),
        now=now,
        on_settled=lambda session, one: (
            one.grant_id and grants.settle(session, one.grant_id, one.charge_id, now, persisted=one.persisted)
        ),
    )


def test_more_than_fits_is_denied_at_the_autoscaler_in_the_usual_words(charged: Hospital) -> None:
    assert charged.ask(create(training(2))).allowed
    denied = charged.ask(autoscaler(18))
    assert not denied.allowed
    assert f"{GPU}: requested 16, used 2, limit 17 of radiology (rule radiology)" in denied.sentences[0]
    assert f"/ask/{denied.id}" in denied.sentences[0]
    made = autoscaler(10)
    assert charged.ask(made).allowed
    assert charged.used("radiology", GPU) == 10
    assert not charged.ask(raised(made, 18)).allowed
    assert charged.ask(raised(made, 17)).allowed
    assert charged.used("radiology", GPU) == 17


def test_what_is_asked_for_within_the_maximum_passes_a_freeze_and_nothing_else_does(charged: Hospital) -> None:
    made, scaler = create(training(2)), autoscaler(10)
    assert charged.ask(made).allowed
    assert charged.ask(scaler).allowed
    freeze(charged)
    decisions = charged.count(DecisionRow)
    assert charged.ask(scale(made, 10, actor=ACTOR)).allowed
    assert charged.ask(scale(made, 9)).allowed
    patched = replace(
        scale(made, 8), subresource="", scale_to=None, declaration=training(8), declaration_before=training(2)
    )
    assert charged.ask(patched).allowed
    assert (charged.count(DecisionRow), charged.used("radiology", GPU)) == (decisions, 10)
    assert not charged.ask(scale(made, 11, actor=ACTOR)).allowed
    changes = {"spec.replicas": 8, "spec.template.spec.containers[main].image": "registry/viewer:2"}
    other = replace(patched, uid=str(uuid4()), declaration=training(8, template="t2"), changes=changes)
    assert not charged.ask(other).allowed
    image = {"spec.template.spec.containers[main].image": "registry/viewer:2"}
    assert not charged.ask(replace(other, uid=str(uuid4()), changes=image)).allowed
    assert not charged.ask(replace(patched, uid=str(uuid4()), changes={**patched.changes, "spec.x": 1})).allowed
    rolling = replace(training(8), surge=3, rolling=True)  # a scale in the midst of a rollout, which surges more
    assert not charged.ask(replace(patched, uid=str(uuid4()), declaration=rolling)).allowed
    assert not charged.ask(raised(scaler, 11)).allowed
    assert charged.used("radiology", GPU) == 10


def test_a_scale_within_what_is_charged_but_for_no_autoscaler_does_not_pass_a_freeze(charged: Hospital) -> None:
    made = create(training(10))
    assert charged.ask(made).allowed
    freeze(charged)
    assert not charged.ask(scale(made, 8, scale_from=4)).allowed  # scaled down, and not credited yet


def test_where_what_they_set_is_charged_a_scale_is_asked_about_and_the_maximum_is_not(hospital: Hospital) -> None:
    made, scaler = create(training(2)), autoscaler(10)
    assert hospital.ask(made).allowed
    assert hospital.ask(scaler).allowed
    freeze(hospital)
    decisions = hospital.count(DecisionRow)
    assert hospital.ask(raised(scaler, 12)).allowed
    assert (hospital.count(DecisionRow), hospital.used("radiology", GPU)) == (decisions, 2)
    assert not hospital.ask(scale(made, 3, actor=ACTOR)).allowed
    assert not hospital.ask(replace(autoscaler(3), name="another", object_uid=str(uuid4()))).allowed
    set_policy(hospital, "maximum")
    assert hospital.used("radiology", GPU) == 12


def test_an_approved_maximum_passes_once_and_its_grant_is_used_when_it_is_seen(charged: Hospital) -> None:
    made, scaler = create(training(2)), autoscaler(10)
    assert charged.ask(made).allowed
    saw(charged, made, 1, training(2))
    assert charged.ask(scaler).allowed
    saw(charged, scaler, 2, up_to(10))
    wish = replace(raised(scaler, 20), resource_version="2")
    approve(charged, charged.ask(wish))
    again = replace(wish, uid=str(uuid4()))
    assert charged.ask(again).allowed
    assert charged.ask(replace(wish, uid=str(uuid4()))).allowed  # the API server runs admission once more
    assert not charged.ask(replace(raised(scaler, 21), resource_version="2")).allowed
    assert charged.used("radiology", GPU) == 20
    saw(charged, scaler, 3, up_to(20))
    with reading(charged.engine) as session:
        assert session.scalars(select(col(Grant.state))).all() == ["consumed"]
    saw(charged, scaler, 4, up_to(5))
    assert charged.used("radiology", GPU) == 5
    assert not charged.ask(raised(scaler, 18)).allowed


def test_a_maximum_may_be_approved_for_less(charged: Hospital) -> None:
    assert charged.ask(create(training(2))).allowed
    scaler = autoscaler(10)
    assert charged.ask(scaler).allowed
    denied = charged.ask(raised(scaler, 20))
    with reading(charged.engine) as session:
        asks = denial_of(session, decision_of(session, denied.id)).asks
    assert asks.after[GPU] == 20
    approve(charged, denied, Terms.at_most(asks, {GPU: 18}))
    assert not charged.ask(raised(scaler, 20)).allowed
    assert not charged.ask(raised(scaler, 19)).allowed
    assert charged.ask(raised(scaler, 18)).allowed
    assert charged.used("radiology", GPU) == 18


def test_a_maximum_that_is_beyond_counting_is_refused_by_name(charged: Hospital) -> None:
    assert charged.ask(create(training(2))).allowed
    with pytest.raises(BadInput, match=r"requests.memory: .* is more than can be counted"):
        charged.ask(autoscaler(2**34))


def test_what_an_autoscaler_that_waits_would_make_is_refused_by_name_as_well(charged: Hospital) -> None:
    assert charged.ask(autoscaler(2**34)).allowed
    with pytest.raises(BadInput, match=r"requests.memory: .* is more than can be counted"):
        charged.ask(create(training(2)))
