"""iCalendar (RFC 5545) into windows of time: recurrences, exceptions, overrides, time zones, whole days. Pure.

Recurrences run on the wall clock of the event's own zone, ends too: a freeze from Friday 18:00 until Monday 06:00 ends
at 06:00 also when the clocks change in between. (RFC 5545, section 3.8.5.3, would keep the exact length of the first
occurrence, which is an hour off what people see in their calendar.) The days of a DURATION are counted on the wall
clock, the rest exactly (section 3.3.6).

Written here because of these ends: a library of recurrences gives every occurrence the length of the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr
from icalendar import Calendar

from governance.errors import BadInput

TEXT_LENGTH_MAX = 256 * 1024
EVENTS_MAX = 1000
WINDOWS_MAX = 5000
_STEPS_MAX = 100_000
_SUMMARY_LENGTH_MAX = 200
_Event = Any  # icalendar's own types are unions of everything that a property can be
_FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_EARLIEST = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Window:
    """One occurrence, half open, in UTC."""

    summary: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class _Length:
    wall: timedelta  # on the wall clock
    exact: timedelta = timedelta()


def expand(text: str, time_zone: str, start: datetime, end: datetime, *, field: str = "calendar") -> tuple[Window, ...]:
    """The windows of a calendar that touch [start, end), in order of time.

    Args:
        text: an iCalendar stream with one or more VEVENTs; cancelled events are left out.
        time_zone: of whole days and floating times, unless the calendar names one (X-WR-TIMEZONE).

    Raises:
        BadInput: not iCalendar, over a limit, or something in it that would otherwise be left out in silence.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise _bad(field, f"The calendar is longer than {TEXT_LENGTH_MAX} characters.")
    try:
        calendar = Calendar.from_ical(text)
        events = [_checked(event) for event in calendar.walk("VEVENT")]
        zone = ZoneInfo(str(calendar.get("X-WR-TIMEZONE", time_zone)))
        if not 0 < len(events) <= EVENTS_MAX:
            raise _bad(field, f"The calendar has {len(events)} events; 1 to {EVENTS_MAX} are possible.")
        windows = sorted(_windows(events, zone, start, end), key=lambda one: (one.starts_at, one.ends_at, one.summary))
    except ZoneInfoNotFoundError as error:
        raise _bad(field, f"{error.args[0]}.") from None
    except BadInput as error:
        raise BadInput(error.detail, field=field, remedy=error.remedy) from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise _bad(field, f"This is not a calendar ({error}).") from None
    if len(windows) > WINDOWS_MAX:
        raise _bad(
            field, f"The calendar has more than {WINDOWS_MAX} windows between {start:%Y-%m-%d} and {end:%Y-%m-%d}."
        )
    return tuple(windows)


def _windows(events: list[_Event], zone: tzinfo, start: datetime, end: datetime) -> Iterator[Window]:
    overridden = {
        (_uid(event), _utc(_moment(event, "RECURRENCE-ID"), zone)) for event in events if "RECURRENCE-ID" in event
    }
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        summary = str(event.get("SUMMARY", "")).strip()[:_SUMMARY_LENGTH_MAX]
        is_override = "RECURRENCE-ID" in event
        for starts_at, ends_at in _occurrences(event, zone, end):
            if not is_override and (_uid(event), starts_at) in overridden:
                continue
            if starts_at < end and ends_at > start:
                yield Window(summary, starts_at, ends_at)


def _occurrences(event: _Event, zone: tzinfo, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    first = _moment(event, "DTSTART")
    length = _length(event, first)
    own_zone = first.tzinfo if isinstance(first, datetime) and first.tzinfo else zone
    left_out = {_utc(one, zone) for one in _listed(event, "EXDATE")}
    seen: set[datetime] = set()
    for wall in _walls(event, first, own_zone, until):
        starts_at = _utc(wall.replace(tzinfo=own_zone), zone)
        if starts_at in left_out or starts_at in seen:
            continue
        seen.add(starts_at)
        yield starts_at, _end(wall, own_zone, length)
    for extra in _listed(event, "RDATE"):
        moment, period = extra if isinstance(extra, tuple) else (extra, None)
        starts_at = _utc(moment, zone)
        if starts_at not in left_out and starts_at not in seen:
            seen.add(starts_at)
            in_zone = moment.tzinfo if isinstance(moment, datetime) and moment.tzinfo else zone
            exact = _utc(period, zone) if isinstance(period, datetime) else starts_at + period if period else None
            yield starts_at, exact or _end(_wall(moment), in_zone, length)


def _walls(event: _Event, first: date | datetime, zone: tzinfo, until: datetime) -> Iterator[datetime]:
    """Local times without their zone, from the first on."""
    if "RRULE" not in event:
        yield _wall(first)
        return
    rule = event["RRULE"]
    if isinstance(rule, list):
        raise _bad("", "An event has more than one RRULE.", "Write one event for each.")
    if str(rule["FREQ"][0]) not in _FREQUENCIES:
        raise _bad("", f"FREQ={rule['FREQ'][0]} is too frequent for a freeze.", "Use DAILY or rarer.")
    parts = {name: value for name, value in rule.items() if name != "UNTIL"}
    text = ";".join(f"{name}={','.join(_part(one) for one in values)}" for name, values in parts.items())
    last = _last(rule.get("UNTIL"), zone)
    for step, wall in enumerate(rrulestr(text, dtstart=_wall(first), ignoretz=True)):
        if step >= _STEPS_MAX:
            raise _bad("", f"An event recurs more than {_STEPS_MAX} times.", "Begin it later.")
        if (last is not None and wall > last) or wall.replace(tzinfo=zone) >= until:
            return
        yield wall


def _part(value: Any) -> str:  # noqa: ANN401  (icalendar's own value types)
    return value.to_ical().decode() if hasattr(value, "to_ical") else str(value)


def _last(until: list[date | datetime] | None, zone: tzinfo) -> datetime | None:
    """UNTIL on the wall clock of the event, the whole of its day if it is a date."""
    if not until:
        return None
    moment = until[0]
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time.max)
    return moment.astimezone(zone).replace(tzinfo=None) if moment.tzinfo else moment


def _length(event: _Event, first: date | datetime) -> _Length:
    if "DTEND" in event:
        last = _moment(event, "DTEND")
        if isinstance(last, datetime) != isinstance(first, datetime):
            raise _bad("", "An event begins with a date and ends with a time, or the other way round.")
        zone = first.tzinfo if isinstance(first, datetime) else None
        in_zone = last.astimezone(zone) if isinstance(last, datetime) and zone else last
        length = _Length(_wall(in_zone) - _wall(first))
    elif "DURATION" in event:
        duration = event["DURATION"].dt
        length = _Length(timedelta(days=duration.days), duration - timedelta(days=duration.days))
    else:
        length = _Length(timedelta(days=0 if isinstance(first, datetime) else 1))
    if length.wall < timedelta() or length.exact < timedelta() or length == _Length(timedelta()):
        raise _bad("", f"The event at {first} has no length.", "Give it a DTEND after its DTSTART, or a DURATION.")
    return length


def _end(wall: datetime, zone: tzinfo, length: _Length) -> datetime:
    return (wall + length.wall).replace(tzinfo=zone).astimezone(UTC) + length.exact


def _checked(event: _Event) -> _Event:
    if event.errors:
        name, what = event.errors[0]
        raise _bad("", f"{name} of an event is not valid: {what}.")
    for name, reason in (("EXRULE", "EXRULE is deprecated"), ("DTSTART", "")):
        if (name in event) == bool(reason):
            raise _bad("", f"{reason}." if reason else "An event has no DTSTART.")
    if str(event.get("RECURRENCE-ID", "") and event["RECURRENCE-ID"].params.get("RANGE", "")):
        raise _bad(
            "", "RECURRENCE-ID with RANGE is not supported.", "Write the later occurrences as an event of their own."
        )
    first = _moment(event, "DTSTART")
    if _wall(first).date() < _EARLIEST:
        raise _bad("", f"An event begins before {_EARLIEST}.")
    return event


def _moment(event: _Event, name: str) -> date | datetime:
    moment: date | datetime = _zoned(event[name], name)
    return moment


def _zoned(value: Any, name: str) -> Any:  # noqa: ANN401  (a date, a datetime, or a period)
    moment = value.dt
    zone = value.params.get("TZID")
    if zone and isinstance(moment, datetime) and moment.tzinfo is None:
        raise _bad(
            "", f"{name} names the time zone {zone}, which is not known.", "Use a name such as Europe/Stockholm."
        )
    return moment


def _listed(event: _Event, name: str) -> list[Any]:
    lists = event.get(name, [])
    return [_zoned(one, name) for each in _as_list(lists) for one in each.dts]


def _as_list(value: Any) -> Iterable[Any]:  # noqa: ANN401
    return value if isinstance(value, list) else [value]


def _wall(moment: date | datetime) -> datetime:
    return moment.replace(tzinfo=None) if isinstance(moment, datetime) else datetime.combine(moment, time.min)


def _utc(moment: date | datetime, zone: tzinfo) -> datetime:
    aware = moment if isinstance(moment, datetime) and moment.tzinfo else _wall(moment).replace(tzinfo=zone)
    return aware.astimezone(UTC)


def _uid(event: _Event) -> str:
    return str(event.get("UID", id(event)))


def _bad(field: str, detail: str, remedy: str = "Export it again from the calendar, or mend it by hand.") -> BadInput:
    return BadInput(detail, field=field, remedy=remedy)
