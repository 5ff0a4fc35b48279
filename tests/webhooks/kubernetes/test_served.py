import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, select
from sqlmodel import col

from governance import clock
from governance.admission.judge import Admission
from governance.db.session import reading
from governance.policy.factory import make_policy_engine
from governance.quota.tables import Breach
from governance.settings import Policy
from tests.admission.conftest import CLUSTER, Hospital, hospital, policy
from tests.http.site import listening
from tests.webhooks.kubernetes.samples import AROUND, deployment, wire
from webhooks.kubernetes.install import review_path
from webhooks.kubernetes.routes import Door, router

__all__ = ["hospital", "policy"]

LIMIT = 20_000
PATH = review_path(CLUSTER)


@pytest.fixture
def door(engine: Engine) -> Iterator[httpx.Client]:
    admission = Admission(engine, make_policy_engine(Policy()), "https://governance.example", lambda _, __: None)
    with served(admission) as client:
        yield client


@contextmanager
def served(admission: Admission) -> Iterator[httpx.Client]:
    app = FastAPI()
    app.state.door = Door(admission, lambda _: AROUND, LIMIT)
    app.include_router(router())
    with listening(app) as url, httpx.Client(base_url=url) as client:
        yield client


def verdict(client: httpx.Client, body: bytes) -> dict[str, Any]:
    answered = client.post(PATH, content=body)
    assert answered.status_code == 200
    found: dict[str, Any] = answered.json()["response"]
    return found


def test_a_review_is_decided_for_the_cluster_that_its_address_names(door: httpx.Client) -> None:
    found = verdict(door, json.dumps(wire("CREATE", deployment())).encode())
    assert (found["uid"], found["allowed"]) == ("review-1", False)
    assert "imaging-onprem-1" in found["status"]["message"]


def test_what_does_not_rise_is_allowed_without_a_look(door: httpx.Client) -> None:
    assert verdict(door, json.dumps(wire("UPDATE", deployment(), deployment())).encode())["allowed"]


def test_a_body_over_the_limit_is_refused_under_its_uid(door: httpx.Client) -> None:
    head = b'{"request": {"uid": "review-9", "object": "'
    found = verdict(door, head + b"x" * LIMIT + b'"}}')
    assert (found["uid"], found["status"]["code"]) == ("review-9", 413)


def test_only_post_is_answered(door: httpx.Client) -> None:
    assert door.get(PATH).status_code == 405


def test_a_cluster_that_warns_answers_what_it_would_deny_with_a_warning_and_charges_it(hospital: Hospital) -> None:
    meta: dict[str, Any] = {"name": "ct-train", "namespace": "ct-training"}
    body = json.dumps(wire("CREATE", deployment(300, **meta), **meta)).encode()
    with served(hospital.admission) as client:
        denied = verdict(client, body)
        hospital.switch("warn", warn_until=clock.now() + timedelta(hours=1))
        passed = verdict(client, body)
    assert not denied["allowed"]
    said = "requests.cpu: requested 30, used 0, limit 24 of radiology/ct-training"
    assert said in denied["status"]["message"]
    assert passed["allowed"]
    assert any(said in one for one in passed["warnings"])
    assert hospital.used("ct-training", "requests.cpu") == 30_000
    with reading(hospital.engine) as session:
        over = session.scalars(select(col(Breach.over)).where(col(Breach.resource) == "requests.cpu"))
        assert 6_000 in over.all()
