"""Events by SQS, on a server that speaks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from governance import clock
from governance.db.session import reading
from governance.errors import DatabaseUnavailable
from tests.parts import aws as moto
from tests.webhooks.cloud.samples import REGION, run_instances, state_change
from webhooks.cloud import aws, queue
from webhooks.cloud.queue import drain, region_of
from webhooks.cloud.tables import InboxEvent

ONE = "i-0aaaaaaaaaaaaaaaa"
WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto.start(REGION) as url:
        yield url


@pytest.fixture
def url(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(queue, "_WAIT_S", 0)
    sqs = aws.client("sqs", REGION)
    assert sqs.meta.endpoint_url == server
    made = sqs.create_queue(QueueName="events", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    yield made
    sqs.delete_queue(QueueUrl=made)


def send(url: str, body: str) -> None:
    aws.client("sqs", REGION).send_message(QueueUrl=url, MessageBody=body)


def stored(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        return [(one.event_id, one.way) for one in session.scalars(select(InboxEvent))]


def test_what_is_on_the_queue_is_stored_once_and_taken_off(sqlite: Engine, url: str) -> None:
    launch = run_instances(ONE)
    for one in (launch, launch, state_change(ONE, "terminated")):
        send(url, json.dumps(one))
    assert sum(drain(sqlite, url, clock.now, WEEK) for _ in range(3)) == 2
    assert (launch["id"], "sqs") in stored(sqlite)
    assert aws.receive(aws.client("sqs", REGION), url, 0) == []


def test_what_is_no_event_stays_for_the_dead_letter_queue(sqlite: Engine, url: str) -> None:
    send(url, "no event")
    send(url, json.dumps(run_instances(ONE, at=clock.now() - 2 * WEEK)))
    assert drain(sqlite, url, clock.now, WEEK) == 0
    assert len(aws.receive(aws.client("sqs", REGION), url, 0)) == 2


def test_what_could_not_be_stored_comes_again(sqlite: Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    send(url, json.dumps(run_instances(ONE)))

    def gone(*_: object, **__: object) -> int:
        raise DatabaseUnavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(queue, "store", gone)
        with pytest.raises(DatabaseUnavailable):
            drain(sqlite, url, clock.now, WEEK)
    assert drain(sqlite, url, clock.now, WEEK) == 1


def test_a_queue_that_is_not_there_is_named(sqlite: Engine, server: str) -> None:
    with pytest.raises(aws.CloudUnavailable, match="no-such-queue"):
        drain(sqlite, f"{server}/123456789012/no-such-queue", clock.now, WEEK)


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("https://sqs.eu-north-1.amazonaws.com/111122223333/events", "eu-north-1"),
        ("http://127.0.0.1:5000/111122223333/events", None),
        ("events", None),
    ],
)
def test_the_region_stands_in_the_address(address: str, region: str | None) -> None:
    assert region_of(address) == region
