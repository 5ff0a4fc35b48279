"""Events as they come over HTTP: three modes of CloudEvents, and EventBridge's own JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from governance.errors import BadInput, Malformed
from tests.webhooks.cloud.samples import (
    ACCOUNT,
    REGION,
    Json,
    cloud_event,
    event_grid,
    eventbridge,
    now,
    run_instances,
)
from webhooks.cloud.event import BATCHED, STRUCTURED, Event, from_http, refuse_stale


def structured(document: Any, media: str = STRUCTURED) -> tuple[Event, ...]:  # noqa: ANN401
    return from_http({"content-type": f"{media}; charset=utf-8"}, json.dumps(document).encode())


def binary(document: Json) -> tuple[Event, ...]:
    headers = {f"ce-{name}": value for name, value in document.items() if name not in {"data", "datacontenttype"}}
    return from_http({**headers, "content-type": "application/json"}, json.dumps(document["data"]).encode())


def test_an_event_of_eventbridge_is_the_same_by_every_way() -> None:
    launch = run_instances("i-0a1b2c3d4e5f60718")
    (plain,) = structured(launch, "application/json")
    assert (plain.source, plain.id, plain.type) == ("aws.ec2", launch["id"], "AWS API Call via CloudTrail")
    assert (plain.provider, plain.scope, plain.region) == ("aws", ACCOUNT, REGION)
    assert plain.operation == launch["detail"]["eventID"]
    assert plain.data == launch["detail"]
    wrapped = {**cloud_event(launch), "id": "made-anew", "source": "urn:hospital:forwarder"}
    assert structured(wrapped) == binary(wrapped) == structured([wrapped], BATCHED) == (plain,)
    assert structured(wrapped, "application/json") == (plain,)


def test_event_grid_tells_of_a_subscription() -> None:
    sent = event_grid()
    (event,) = structured(sent)
    assert (event.provider, event.scope) == ("azure", "0b1f6471-1bf0-4dda-aec3-cb9272f09590")
    assert event.data["subject"] == sent["subject"]
    assert binary(sent) == (event,)


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "time"])
def test_a_missing_attribute_is_named(name: str) -> None:
    without = {key: value for key, value in event_grid().items() if key != name}
    for read in (structured, binary):
        with pytest.raises(BadInput) as refused:
            read(without)
        assert refused.value.field == name


WRONG: dict[str, tuple[Json, str]] = {
    "another version": (event_grid(specversion="0.3"), "specversion"),
    "another source": (event_grid(source="https://elsewhere.example/"), "source"),
    "no time": (event_grid(time="yesterday"), "time"),
    "a time without a zone": (event_grid(time="2026-11-27T09:00:00"), "time"),
    "not an object": (event_grid(data=[1]), "data"),
    "no account": (eventbridge("x", {}, account="1234"), "account"),
    "an account that is no text": (eventbridge("x", {}, account=111122223333), "account"),
    "not of AWS": (eventbridge("x", {}, source="my.app"), "source"),
    "no id": (eventbridge("x", {}, id=""), "id"),
    "a long id": (eventbridge("x", {}, id="x" * 2000), "id"),
    "no detail": ({**eventbridge("x", {}), "detail": "no"}, "detail"),
    "wrapped": (cloud_event(eventbridge("x", {}, region=None)), "data.region"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case: str) -> None:
    document, field = WRONG[case]
    with pytest.raises(BadInput) as refused:
        structured(document)
    assert refused.value.field == field


def test_one_bad_member_refuses_a_batch_and_is_named_by_its_place() -> None:
    with pytest.raises(BadInput) as refused:
        structured([event_grid(), event_grid(source="urn:x")], BATCHED)
    assert refused.value.field == "[1].source"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": STRUCTURED}, b'{"id": "1", "id": "2"}'),
        ({"content-type": STRUCTURED}, b"{"),
        ({"content-type": STRUCTURED}, b"[]"),
        ({"content-type": STRUCTURED}, b'{"data": ' + b'{"a":' * 40 + b"1" + b"}" * 41),
        ({"content-type": STRUCTURED}, b'{"n": NaN}'),
        ({"content-type": BATCHED}, b"{}"),
        ({"content-type": "text/plain"}, b"{}"),
        ({}, b"{}"),
    ],
)
def test_what_is_no_event_is_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises((BadInput, Malformed)):
        from_http(headers, body)


def test_an_event_that_is_old_or_of_tomorrow_is_refused() -> None:
    (event,) = structured(event_grid())
    week = timedelta(days=7)
    refuse_stale(event, now(), week)
    for moment in (event.at + week + timedelta(seconds=1), event.at - timedelta(minutes=6)):
        with pytest.raises(BadInput) as refused:
            refuse_stale(event, moment, week)
        assert refused.value.field == "time"
