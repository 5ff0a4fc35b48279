from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from governance import clock
from governance.db.session import reading, transaction
from governance.http import sessions
from governance.identity.tables import SpentIdToken, WebSession
from tests.http.site import demo, production
from tests.identity import organisation
from tests.identity.organisation import Hospital, statements

NOW = clock.now()
HOUR = timedelta(hours=1)


@pytest.fixture
def hospital(engine: Engine) -> Hospital:
    """A small hospital, on SQLite and on PostgreSQL."""
    return organisation.build(engine)


def open_one(hospital: Hospital, replaces: str | None = None) -> str:
    with transaction(hospital.engine) as session:
        person = hospital.people["lindqvist"]
        return sessions.open_session(session, person, NOW, HOUR, replaces=replaces, reason="test")


def find(
    hospital: Hospital, token: str, at: timedelta = timedelta(0), idle: timedelta = 2 * HOUR
) -> sessions.Open | None:
    with reading(hospital.engine) as session:
        return sessions.find_session(session, token, NOW + at, idle)


def test_a_session_is_found_with_all_rights_in_one_read(hospital: Hospital) -> None:
    token = open_one(hospital)
    with statements(hospital.engine) as sent:
        found = find(hospital, token)
    assert found is not None
    assert found.principal.name == "lindqvist"
    assert found.principal.groups == {"platform"}
    assert {held.role for held in found.principal.roles} == {"approver"}
    assert len(found.csrf_token) >= 43
    assert len(sent) == 1


def test_a_session_ends_with_its_time(hospital: Hospital) -> None:
    token = open_one(hospital)
    assert find(hospital, token, HOUR - timedelta(seconds=1)) is not None
    assert find(hospital, token, HOUR) is None


def test_a_session_ends_when_nobody_does_anything_in_it(hospital: Hospital) -> None:
    token, idle = open_one(hospital), timedelta(minutes=30)
    assert find(hospital, token, timedelta(minutes=29), idle) is not None
    assert find(hospital, token, idle, idle) is None
    with transaction(hospital.engine) as session:
        sessions.note_use(session, token, NOW + timedelta(minutes=29))
    assert find(hospital, token, timedelta(minutes=58), idle) is not None
    assert find(hospital, token, timedelta(minutes=59), idle) is None
    assert find(hospital, token, HOUR, 2 * HOUR) is None, "its whole time stays what it was"


def test_use_is_written_down_once_a_minute(hospital: Hospital) -> None:
    token = open_one(hospital)
    for seconds, noted in ((59, False), (60, True), (61, True)):
        found = find(hospital, token, timedelta(seconds=seconds))
        assert found is not None
        assert found.note_use is noted


def test_a_session_ends_when_it_is_replaced_or_closed(hospital: Hospital) -> None:
    first = open_one(hospital)
    second = open_one(hospital, replaces=first)
    assert find(hospital, first) is None
    found = find(hospital, second)
    assert found is not None
    with transaction(hospital.engine) as session:
        sessions.close_session(session, second, found.principal, NOW)
    assert find(hospital, second) is None


def test_two_sessions_share_neither_token_nor_form_token(hospital: Hospital) -> None:
    tokens = [open_one(hospital), open_one(hospital)]
    found = [find(hospital, token) for token in tokens]
    assert tokens[0] != tokens[1]
    assert len({one.csrf_token for one in found if one}) == 2


def test_a_sign_in_under_way_is_taken_by_one_of_many_that_try(hospital: Hospital) -> None:
    with transaction(hospital.engine) as session:
        token = sessions.begin_sign_in(session, {"state": "s"}, NOW)

    def take() -> object:
        with transaction(hospital.engine) as session:
            return sessions.take_sign_in(session, token, NOW)

    with ThreadPoolExecutor(4) as threads:
        taken = [one.result() for one in [threads.submit(take) for _ in range(8)]]
    assert [one for one in taken if one is not None] == [{"state": "s"}]


def test_what_is_past_is_cleared_away_by_whoever_comes_next(hospital: Hospital) -> None:
    with transaction(hospital.engine) as session:
        sessions.begin_sign_in(session, {}, NOW - HOUR)
        session.add(SpentIdToken(token_hash="x", expires_at=NOW))
        session.add(SpentIdToken(token_hash="y", expires_at=NOW + HOUR))
    token = open_one(hospital)
    with reading(hospital.engine) as session:
        assert len(session.exec(select(WebSession)).all()) == 1
        assert [one.token_hash for one in session.exec(select(SpentIdToken)).all()] == ["y"]
    assert find(hospital, token) is not None


def test_only_the_demo_on_plain_http_does_without_secure_cookies() -> None:
    assert sessions.cookies(production()) == sessions.Cookies("__Host-governance", "__Host-governance-sign-in", True)
    assert not sessions.cookies(demo()).secure
    assert sessions.cookies(demo(web={"public_url": "https://127.0.0.1:8080"})).secure
