"""The door that clouds call, over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest
from sqlmodel import func, select

from governance import clock
from governance.db.session import reading
from tests.api.conftest import Api
from tests.webhooks.cloud.samples import Json, cloud_event, event_grid, run_instances
from webhooks.cloud.event import BATCHED, STRUCTURED
from webhooks.cloud.tables import InboxEvent

PATH = "/cloud/events"


def send(api: Api, body: object, media: str = STRUCTURED, person: str | None = "deployer") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": media}
    if person:
        headers["Authorization"] = f"Bearer {api.tokens[person]}"
    return httpx.post(f"{api.url}/api/v1{PATH}", content=content, headers=headers, timeout=20)


def stored(api: Api) -> int:
    with reading(api.engine) as session:
        return session.exec(select(func.count()).select_from(InboxEvent)).one()


def test_an_event_is_stored_once_by_whatever_way_it_comes(api: Api) -> None:
    launch = run_instances("i-0a1b2c3d4e5f60718")
    first = send(api, cloud_event(launch))
    assert (first.status_code, first.json()) == (202, {"stored": 1, "known": 0})
    assert send(api, launch, "application/json").json() == {"stored": 0, "known": 1}
    assert send(api, [cloud_event(launch), event_grid()], BATCHED).json() == {"stored": 1, "known": 1}
    assert stored(api) == 2


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({**event_grid(), "source": "urn:elsewhere"}, 422, "source"),
        ({name: value for name, value in event_grid().items() if name != "id"}, 422, "id"),
        (event_grid(time=(clock.now() - timedelta(days=9)).isoformat()), 422, "time"),
        (b'{"id": "1", "id": "2"}', 400, "id"),
        (b"[" * 100_000, 400, None),
        (b" " * (10 * 2**20), 413, "body"),
    ],
)
def test_what_is_wrong_is_refused_with_its_field_and_nothing_is_stored(
    api: Api, body: Json | bytes, status: int, field: str | None
) -> None:
    refused = send(api, body)
    assert (refused.status_code, refused.json().get("field")) == (status, field)
    assert stored(api) == 0


def test_one_bad_member_refuses_the_batch(api: Api) -> None:
    refused = send(api, [event_grid(), event_grid(type="")], BATCHED)
    assert (refused.status_code, refused.json()["field"], stored(api)) == (422, "[1].type", 0)


def test_a_sender_who_is_not_known_or_may_not_send_is_not_told_that_it_is_lost(api: Api) -> None:
    """Event Grid gives up what is answered with 400, 401 or 413."""
    assert send(api, event_grid(), person=None).status_code == 401
    assert send(api, event_grid(), person="okafor").status_code == 403
    api.tokens["wrong"] = "gov_" + "x" * 43
    assert send(api, event_grid(), person="wrong").status_code == 403
    assert stored(api) == 0


def test_the_handshake_of_event_grid_is_answered(api: Api) -> None:
    asked = {"WebHook-Request-Origin": "eventgrid.azure.net", "WebHook-Request-Rate": "120"}
    answer = httpx.options(f"{api.url}/api/v1{PATH}", headers=asked)
    assert (answer.status_code, answer.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")
    assert httpx.options(f"{api.url}/api/v1{PATH}").status_code == 422
