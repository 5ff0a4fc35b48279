"""The outbox: written with the transaction, delivered at least once, given up in the end; on both databases."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from governance.db.session import transaction
from governance.notify.outbox import ATTEMPTS_MAX, DeliveryFailed, Outgoing, backoff, deliver_due, enqueue
from governance.notify.tables import OutboxMessage

NOW = datetime(2026, 11, 23, 10, 44, tzinfo=UTC)


@dataclass
class FakeChannel:
    """Keeps what it is given; fails with `failure` while that is set."""

    failure: Exception | None = None
    delivered: list[UUID] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, message: Outgoing) -> None:
        if self.failure is not None:
            raise self.failure
        with self.lock:
            self.delivered.append(message.id)


def put(engine: Engine, count: int = 1, channel: str = "email") -> list[UUID]:
    with transaction(engine) as session:
        return [
            enqueue(session, channel, "okafor@hospital.example", "change.approved", "CH-1", {"n": n}, now=NOW).id
            for n in range(count)
        ]


def only(session: Session) -> OutboxMessage:
    return session.exec(select(OutboxMessage)).one()


def test_a_message_is_delivered_once_and_then_left_alone(engine: Engine) -> None:
    channel, ids = FakeChannel(), put(engine, 3)
    assert deliver_due(engine, {"email": channel}, lambda: NOW) == 3
    assert sorted(channel.delivered) == sorted(ids)
    assert deliver_due(engine, {"email": channel}, lambda: NOW + timedelta(days=9)) == 0
    with transaction(engine) as session:
        assert all(row.delivered_at == NOW and row.attempts == 1 for row in session.exec(select(OutboxMessage)))


def test_a_message_of_a_transaction_that_failed_is_never_sent(engine: Engine) -> None:
    def enqueue_and_break() -> None:
        with transaction(engine) as session:
            enqueue(session, "email", "okafor@hospital.example", "change.approved", "CH-1", {}, now=NOW)
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        enqueue_and_break()
    channel = FakeChannel()
    assert deliver_due(engine, {"email": channel}, lambda: NOW) == 0
    assert channel.delivered == []


def test_the_limit_is_kept(engine: Engine) -> None:
    put(engine, 3)
    assert deliver_due(engine, {"email": FakeChannel()}, lambda: NOW, limit=2) == 2


def test_a_failure_is_tried_again_later_and_later(engine: Engine) -> None:
    put(engine)
    channel = FakeChannel(DeliveryFailed("the mail server answered 451"))
    assert deliver_due(engine, {"email": channel}, lambda: NOW) == 0
    with transaction(engine) as session:
        row = only(session)
        assert (row.attempts, row.last_error) == (1, "the mail server answered 451")
        assert row.next_attempt_at == NOW + timedelta(seconds=30)
    channel.failure = None
    assert deliver_due(engine, {"email": channel}, lambda: NOW + timedelta(seconds=29)) == 0
    assert deliver_due(engine, {"email": channel}, lambda: NOW + timedelta(seconds=30)) == 1
    with transaction(engine) as session:
        assert (only(session).attempts, only(session).last_error) == (2, "")


def test_the_wait_doubles_up_to_six_hours() -> None:
    waits = [backoff(n).total_seconds() for n in (1, 2, 3, 10, 11, 12, 10_000)]
    assert waits == [30, 60, 120, 15360, 21600, 21600, 21600]


def test_a_message_is_given_up_after_the_last_attempt_and_keeps_its_error(engine: Engine) -> None:
    put(engine)
    channel, now = FakeChannel(DeliveryFailed("the mail server answered 451")), NOW
    for _ in range(ATTEMPTS_MAX):
        deliver_due(engine, {"email": channel}, lambda: now)  # noqa: B023  (called at once)
        now += timedelta(hours=6)
    with transaction(engine) as session:
        row = only(session)
        assert (row.attempts, row.next_attempt_at, row.delivered_at) == (ATTEMPTS_MAX, None, None)
        assert row.last_error == "the mail server answered 451"


def test_what_cannot_help_is_not_tried_again(engine: Engine) -> None:
    put(engine)
    deliver_due(engine, {"email": FakeChannel(DeliveryFailed("no such receiver", for_good=True))}, lambda: NOW)
    with transaction(engine) as session:
        assert (only(session).next_attempt_at, only(session).last_error) == (None, "no such receiver")


def test_a_channel_that_is_not_configured_says_so(engine: Engine) -> None:
    put(engine, channel="webhook")
    assert deliver_due(engine, {}, lambda: NOW) == 0
    with transaction(engine) as session:
        assert (only(session).next_attempt_at, only(session).last_error) == (None, "webhook is not configured")


def test_a_message_that_cannot_be_made_does_not_stop_the_others(engine: Engine) -> None:
    put(engine, channel="broken")
    put(engine)
    good, broken = FakeChannel(), FakeChannel(KeyError("secret of a broken template"))
    assert deliver_due(engine, {"email": good, "broken": broken}, lambda: NOW) == 1
    with transaction(engine) as session:
        row = session.exec(select(OutboxMessage).where(OutboxMessage.channel == "broken")).one()
        assert row.last_error == "KeyError while the message was made"


def test_a_process_that_dies_while_it_sends_leaves_the_message_due_again(engine: Engine) -> None:
    (id_,) = put(engine)

    class Killed(BaseException):
        pass

    def die(_message: Outgoing) -> None:
        raise Killed

    with pytest.raises(Killed):
        deliver_due(engine, {"email": die}, lambda: NOW)
    channel = FakeChannel()
    assert deliver_due(engine, {"email": channel}, lambda: NOW + timedelta(seconds=29)) == 0
    assert deliver_due(engine, {"email": channel}, lambda: NOW + timedelta(seconds=30)) == 1
    assert channel.delivered == [id_]


def test_several_senders_at_once_send_each_message_once(engine: Engine) -> None:
    ids, channel = put(engine, 40), FakeChannel()

    def send() -> None:
        while len(channel.delivered) < len(ids):
            deliver_due(engine, {"email": channel}, lambda: NOW)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Counter(channel.delivered) == Counter(ids)
