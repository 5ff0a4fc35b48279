import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from governance.admission.judge import Admission
from governance.policy.factory import make_policy_engine
from governance.settings import Policy
from tests.http.site import listening
from tests.webhooks.kubernetes.samples import AROUND, deployment, wire
from webhooks.kubernetes.install import review_path
from webhooks.kubernetes.routes import Door, router

LIMIT = 20_000
PATH = review_path("imaging-onprem-1")


@pytest.fixture
def door(engine: Engine) -> Iterator[httpx.Client]:
    app = FastAPI()
    admission = Admission(engine, make_policy_engine(Policy()), "https://governance.example", lambda _, __: None)
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
