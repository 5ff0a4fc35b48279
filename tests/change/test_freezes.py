"""Freezes as rows: which hold on a path at an instant, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, type_coerce
from sqlmodel import Session, select

from governance.change.freezes import (
    HORIZON,
    extend_calendars,
    freezes_between,
    freezes_select,
    remove_calendar,
    rules_select,
    set_calendar,
)
from governance.change.tables import ApprovalRule, Freeze
from governance.db.elements import database_now
from governance.db.session import transaction
from governance.db.types import JsonDocument
from tests.change.hospital import NOW, Hospital, open_hospital

DAY = timedelta(days=1)


def weekly(first: datetime, hours: int) -> str:
    return (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\nBEGIN:VEVENT\nUID:1\nSUMMARY:Go-live\n"
        f"DTSTART:{first:%Y%m%dT%H%M%SZ}\nDURATION:PT{hours}H\nRRULE:FREQ=WEEKLY\nEND:VEVENT\nEND:VCALENDAR\n"
    )


def in_force(session: Session, hospital: Hospital, now: Any = NOW) -> list[str]:  # noqa: ANN401  (an instant or SQL)
    path = type_coerce(list(hospital.path), JsonDocument)
    return [row.summary for row in session.connection().execute(freezes_select(path, now))]


def test_a_freeze_holds_at_its_node_and_below_from_its_start_until_before_its_end(engine: Engine) -> None:
    with transaction(engine) as session:
        hospital = open_hospital(session)
        set_calendar(session, "go-live", hospital.nodes["hospital"], [], weekly(NOW, 2), "UTC", NOW)
        assert in_force(session, hospital, NOW) == ["Go-live"]
        assert in_force(session, hospital, NOW - timedelta(microseconds=1)) == []
        assert in_force(session, hospital, NOW + timedelta(hours=2)) == []
        assert in_force(session, hospital, NOW + timedelta(hours=2, microseconds=-1)) == ["Go-live"]


def test_the_databases_own_time_can_decide(engine: Engine) -> None:
    with transaction(engine) as session:
        hospital = open_hospital(session)
        session.add(
            Freeze(
                calendar="always",
                summary="Always",
                node_id=hospital.nodes["radiology"],
                starts_at=NOW - 36500 * DAY,
                ends_at=NOW + 36500 * DAY,
            )
        )
        session.flush()
        assert in_force(session, hospital, database_now()) == ["Always"]


def test_a_freeze_elsewhere_does_not_hold(engine: Engine) -> None:
    with transaction(engine) as session:
        hospital = open_hospital(session)
        set_calendar(session, "go-live", hospital.nodes["radiology"], [], weekly(NOW, 2), "UTC", NOW)
        above = Hospital(dict.fromkeys(hospital.nodes, hospital.nodes["hospital"]), hospital.people)
        assert in_force(session, above) == []


def test_applying_a_calendar_again_replaces_what_is_ahead_and_keeps_what_is_past(engine: Engine) -> None:
    with transaction(engine) as session:
        hospital = open_hospital(session)
        node = hospital.nodes["hospital"]
        count = set_calendar(session, "go-live", node, [], weekly(NOW, 2), "UTC", NOW)
        assert count == len(session.exec(select(Freeze)).all()) == HORIZON.days // 7 + 1
        assert set_calendar(session, "go-live", node, [], weekly(NOW, 2), "UTC", NOW) == count
        later = NOW + 7 * DAY
        set_calendar(session, "go-live", node, ["production"], weekly(NOW + DAY, 1), "UTC", later)
        rows = freezes_between(session, [node], NOW - DAY, later + 7 * DAY)
        assert [(row.starts_at, row.environments) for row in rows] == [(NOW, []), (NOW + 8 * DAY, ["production"])]


def test_a_removed_calendar_holds_no_longer(engine: Engine) -> None:
    with transaction(engine) as session:
        hospital = open_hospital(session)
        set_calendar(session, "go-live", hospital.nodes["hospital"], [], weekly(NOW, 2), "UTC", NOW)
        remove_calendar(session, "go-live", NOW)
        assert in_force(session, hospital) == []
    assert extend_calendars(engine, NOW + HORIZON) == 0


def test_calendars_are_expanded_further_before_their_horizon_comes(engine: Engine) -> None:
    with transaction(engine) as session:
        hospital = open_hospital(session)
        set_calendar(session, "go-live", hospital.nodes["hospital"], [], weekly(NOW, 2), "UTC", NOW)
    assert extend_calendars(engine, NOW + 20 * DAY) == 0
    later = NOW + 50 * DAY
    assert extend_calendars(engine, later) == 1
    assert extend_calendars(engine, later) == 0
    with transaction(engine) as session:
        rows = freezes_between(session, [hospital.nodes["hospital"]], NOW + HORIZON, later + HORIZON)
        assert len(rows) == 7
        all_rows = [one.starts_at for one in session.exec(select(Freeze))]
        assert len(all_rows) == len(set(all_rows))


def test_approval_rules_are_those_of_the_path(engine: Engine) -> None:
    with transaction(engine) as session:
        hospital = open_hospital(session)
        needs = [{"group": "platform", "minimum": 1, "deny_minimum": 1}]
        for name in ("hospital", "radiology"):
            session.add(ApprovalRule(name=f"at-{name}", node_id=hospital.nodes[name], when={}, require=needs))
        session.flush()
        path = type_coerce(list(hospital.path[-1:]), JsonDocument)
        assert [row.name for row in session.connection().execute(rules_select(path))] == ["at-hospital"]
