"""The door on the real ledger and policies: whatever is sent, a valid AdmissionReview comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from governance.admission.judge import Admission
from governance.db.session import make_engine
from governance.policy.embedded import Embedded
from governance.settings import Database
from tests.admission.conftest import CLUSTER, Hospital, hospital, policy
from tests.webhooks.kubernetes import samples
from webhooks.kubernetes.routes import Door, answer

__all__ = ["hospital", "policy"]

NAMESPACE = "ct-training"


@pytest.fixture
def door(hospital: Hospital) -> Door:
    return Door(hospital.admission, lambda _: samples.AROUND, samples.BODY_BYTES_MAX)


def said(door: Door, body: bytes, cluster: str = CLUSTER) -> dict[str, Any]:
    answered = json.loads(answer(door, cluster, body))
    assert (answered["apiVersion"], answered["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = answered["response"]
    assert response["allowed"] or response["status"]["message"]
    return response


def create(replicas: int = 1, **more: Any) -> bytes:  # noqa: ANN401
    wished = samples.deployment(replicas, namespace=NAMESPACE)
    return json.dumps(samples.wire("CREATE", wished, namespace=NAMESPACE, **more)).encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"{", 400, id="half a document"),
        pytest.param(b"[]", 400, id="a list"),
        pytest.param(b"\xff\xfe", 400, id="not UTF-8"),
        pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, 400, id="deep"),
        pytest.param(create() + b" " * samples.BODY_BYTES_MAX, 413, id="huge"),
        pytest.param(create().replace(b"admission.k8s.io/v1", b"admission.k8s.io/v1beta1"), 422, id="wrong version"),
        pytest.param(create().replace(b'"replicas": 1', b'"replicas": "many"'), 422, id="wrong type"),
        pytest.param(create().replace(b'"cpu": "100m"', b'"cpu": "1e9999"'), 422, id="out of range"),
    ],
)
def test_what_cannot_be_read_is_denied_with_its_status(door: Door, body: bytes, code: int) -> None:
    response = said(door, body)
    assert not response["allowed"]
    assert response["status"]["code"] == code


def test_the_answer_bears_the_uid_where_one_can_be_read(door: Door) -> None:
    body = create()
    uid = json.loads(body)["request"]["uid"]
    assert said(door, body)["uid"] == uid
    assert said(door, body.replace(b"admission.k8s.io/v1", b"admission.k8s.io/v2"))["uid"] == uid


def test_what_fits_passes_and_names_its_decision_for_the_clusters_audit_log(door: Door) -> None:
    response = said(door, create())
    assert response["allowed"]
    assert set(response["auditAnnotations"]) == {"decision"}


def test_what_does_not_fit_is_forbidden_in_words(door: Door) -> None:
    response = said(door, create(1000))
    assert response["status"]["reason"] == "Forbidden"
    assert "requests.cpu: requested 100, used 0, limit 24 of radiology/ct-training" in response["status"]["message"]


def test_a_cluster_that_nobody_configured_is_denied_by_name(door: Door) -> None:
    assert "cluster elsewhere is not in the configuration" in said(door, create(), "elsewhere")["status"]["message"]


def test_decreases_and_deletes_pass_while_the_database_is_gone(door: Door, policy: Embedded) -> None:
    gone = make_engine(Database(url="postgresql+psycopg://nobody@127.0.0.1:1/nothing", connect_timeout_s=1))
    alone = replace(door, admission=Admission(gone, policy, "https://governance.example", lambda _, __: None))
    two, three = (samples.deployment(number, namespace=NAMESPACE, resourceVersion="7") for number in (2, 3))
    for body in (samples.wire("UPDATE", two, three), samples.wire("DELETE", None, two)):
        assert said(alone, json.dumps(body).encode())["allowed"]
    assert "the ledger gave no answer" in said(alone, create())["status"]["message"]
    gone.dispose()


def test_an_error_of_ours_denies_with_an_id_and_no_detail(door: Door) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    hurt = replace(door, admission=replace(door.admission, read_live=broken))
    body = samples.wire("UPDATE", samples.scale(3), samples.scale(1), namespace=NAMESPACE, subResource="scale")
    message = said(hurt, json.dumps(body).encode())["status"]["message"]
    assert "could not be decided (error " in message
    assert "secret" not in message
