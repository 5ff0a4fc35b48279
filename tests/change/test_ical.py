"""iCalendar into windows. Expected times are worked out by hand from RFC 5545 and the zones' own changes of clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.change.ical import expand
from governance.errors import BadInput

START = datetime(2026, 10, 20, tzinfo=UTC)
END = datetime(2027, 10, 20, tzinfo=UTC)
STOCKHOLM = "Europe/Stockholm"


def calendar(*events: str, more: str = "") -> str:
    body = "".join(f"BEGIN:VEVENT\nUID:{n}\n{event}\nEND:VEVENT\n" for n, event in enumerate(events))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{more}{body}END:VCALENDAR\n"


def windows(text: str, zone: str = STOCKHOLM) -> list[tuple[str, str]]:
    found = expand(text, zone, START, END)
    return [(f"{one.starts_at:%m-%dT%H:%M}", f"{one.ends_at:%m-%dT%H:%M}") for one in found]


def test_a_single_event_is_one_window_in_utc() -> None:
    text = calendar(
        "SUMMARY:Move\nDTSTART;TZID=Europe/Stockholm:20261201T180000\nDTEND;TZID=Europe/Stockholm:20261201T200000"
    )
    (one,) = expand(text, "UTC", START, END)
    assert (one.summary, one.starts_at, one.ends_at) == (
        "Move",
        datetime(2026, 12, 1, 17, tzinfo=UTC),
        datetime(2026, 12, 1, 19, tzinfo=UTC),
    )


def test_a_weekly_freeze_keeps_its_wall_clock_at_both_ends_over_a_change_of_clock() -> None:
    text = calendar(
        "DTSTART;TZID=Europe/Stockholm:20261016T180000\nDTEND;TZID=Europe/Stockholm:20261019T060000\n"
        "RRULE:FREQ=WEEKLY;COUNT=3"
    )
    assert windows(text) == [("10-23T16:00", "10-26T05:00"), ("10-30T17:00", "11-02T05:00")]


def test_whole_days_are_days_of_the_given_zone() -> None:
    assert windows(calendar("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227")) == [
        ("12-23T23:00", "12-26T23:00")
    ]


def test_a_whole_day_without_an_end_lasts_one_day() -> None:
    assert windows(calendar("DTSTART;VALUE=DATE:20270328")) == [("03-27T23:00", "03-28T22:00")]


def test_the_calendars_own_zone_beats_the_given_one() -> None:
    text = calendar("DTSTART:20261201T120000\nDURATION:PT1H", more="X-WR-TIMEZONE:America/New_York\n")
    assert windows(text) == [("12-01T17:00", "12-01T18:00")]


def test_until_in_utc_includes_the_occurrence_at_that_very_moment() -> None:
    text = calendar(
        "DTSTART;TZID=Europe/Stockholm:20261201T180000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20261203T170000Z"
    )
    assert len(windows(text)) == 3


def test_exceptions_take_occurrences_away_and_extra_dates_add_them() -> None:
    text = calendar(
        "DTSTART;TZID=Europe/Stockholm:20261201T180000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4\n"
        "EXDATE;TZID=Europe/Stockholm:20261202T180000,20261203T180000\n"
        "RDATE;TZID=Europe/Stockholm:20261210T180000\nRDATE;VALUE=PERIOD:20261220T000000Z/PT2H"
    )
    assert windows(text) == [
        ("12-01T17:00", "12-01T18:00"),
        ("12-04T17:00", "12-04T18:00"),
        ("12-10T17:00", "12-10T18:00"),
        ("12-20T00:00", "12-20T02:00"),
    ]


def test_an_override_moves_one_occurrence_and_a_cancelled_override_removes_it() -> None:
    master = "DTSTART:20261201T100000Z\nDTEND:20261201T110000Z\nRRULE:FREQ=DAILY;COUNT=3"
    moved = "RECURRENCE-ID:20261202T100000Z\nDTSTART:20261202T150000Z\nDTEND:20261202T160000Z"
    cancelled = "RECURRENCE-ID:20261203T100000Z\nDTSTART:20261203T100000Z\nDTEND:20261203T110000Z\nSTATUS:CANCELLED"
    events = "".join(f"BEGIN:VEVENT\nUID:same\n{one}\nEND:VEVENT\n" for one in (master, moved, cancelled))
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{events}END:VCALENDAR\n"
    assert windows(text) == [("12-01T10:00", "12-01T11:00"), ("12-02T15:00", "12-02T16:00")]


def test_the_days_of_a_duration_are_days_on_the_wall_clock() -> None:
    text = calendar("DTSTART;TZID=Europe/Stockholm:20261024T180000\nDURATION:P1DT2H")
    assert windows(text) == [("10-24T16:00", "10-25T19:00")]


def test_a_time_zone_that_the_calendar_defines_itself_is_used() -> None:
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Ward\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0300\n"
        "TZOFFSETTO:+0300\nEND:STANDARD\nEND:VTIMEZONE\n"
    )
    text = calendar("DTSTART;TZID=Ward:20261201T120000\nDURATION:PT1H", more=zone)
    assert windows(text) == [("12-01T09:00", "12-01T10:00")]


def test_a_window_that_has_begun_is_there_and_one_that_has_ended_is_not() -> None:
    running = "DTSTART:20261019T000000Z\nDTEND:20261021T000000Z"
    ended = "DTSTART:20261019T000000Z\nDTEND:20261020T000000Z"
    assert windows(calendar(running, ended)) == [("10-19T00:00", "10-21T00:00")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a calendar"),
        ("hello", "not a calendar"),
        (calendar(), "has 0 events"),
        (calendar("SUMMARY:x"), "no DTSTART"),
        (calendar("DTSTART:2026"), "DTSTART of an event is not valid"),
        (calendar("DTSTART:20261201T100000Z"), "has no length"),
        (calendar("DTSTART:20261201T100000Z\nDTEND:20261201T090000Z"), "has no length"),
        (calendar("DTSTART;VALUE=DATE:20261201\nDTEND:20261202T090000Z"), "begins with a date"),
        (calendar("DTSTART;TZID=Nowhere/X:20261201T100000\nDURATION:PT1H"), "not known"),
        (calendar("DTSTART:20261201T100000Z\nDURATION:PT1H\nRRULE:FREQ=SECONDLY"), "too frequent"),
        (calendar("DTSTART:20261201T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY"), "more than one"),
        (calendar("DTSTART:20261201T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BOGUS=1"), "not a calendar"),
        (calendar("DTSTART:20261201T100000Z\nDURATION:PT1H\nEXRULE:FREQ=DAILY"), "EXRULE"),
        (calendar("DTSTART:19691201T100000Z\nDURATION:PT1H"), "before 1970"),
        (
            calendar("RECURRENCE-ID;RANGE=THISANDFUTURE:20261201T100000Z\nDTSTART:20261201T100000Z\nDURATION:PT1H"),
            "RANGE",
        ),
        (calendar("DTSTART:20261201T100000Z\nDURATION:PT1H", more="X-WR-TIMEZONE:Nowhere/X\n"), "Nowhere/X"),
        ("x" * (256 * 1024 + 1), "longer than"),
        (
            calendar(
                "DTSTART:19700101T000000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYHOUR="
                + ",".join(str(hour) for hour in range(24))
            ),
            "recurs more than",
        ),
    ],
)
def test_what_cannot_be_expanded_is_refused_and_never_left_out_in_silence(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        windows(text)
    assert refused.value.field == "calendar"


@given(
    st.integers(0, 300 * 24 * 60),
    st.integers(1, 60 * 24 * 7),
    st.integers(1, 40),
    st.sampled_from([STOCKHOLM, "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
)
def test_every_day_of_a_daily_freeze_begins_at_the_same_time_on_the_wall_clock(
    offset: int, minutes: int, count: int, zone: str
) -> None:
    first = (START + timedelta(days=1, minutes=offset)).replace(tzinfo=None)
    text = calendar(f"DTSTART:{first:%Y%m%dT%H%M%S}\nDURATION:PT{minutes}M\nRRULE:FREQ=DAILY;COUNT={count}")
    walls = [first + timedelta(days=day) for day in range(count)]
    found = expand(text, zone, START, END)
    assert [one.starts_at for one in found] == [wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for wall in walls]
    shown = [one.starts_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for one in found]
    assert sum(one != wall for one, wall in zip(shown, walls, strict=True)) <= 1  # a time that the clocks skip
