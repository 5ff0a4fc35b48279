"""Numbers and times as pages show them. Exact values go along, for hovering and for screen readers."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from governance.units import Money, show_amount
from governance.web.views.parts import Moment, Number
from governance.wording import SPACE, Unit, amount_text, plural, unit_for


def number(resource: str, amount: int, unit: Unit | None = None, *, href: str = "") -> Number:
    """A ledger amount for a page: short text, unit, and the exact amount with the resource's own name."""
    chosen = unit or unit_for(resource, (amount,))
    return Number(amount_text(amount, chosen), chosen.label, f"{show_amount(resource, amount)} {resource}", href)


def money(value: Money) -> Number:
    """An amount of money, shortened to whole units when large; exact on hover."""
    sign = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF"}.get(value.currency, value.currency)
    step = Decimal("0.01") if abs(value.value) < 100 else Decimal(1)
    short = value.value.quantize(step, rounding=ROUND_HALF_EVEN)
    return Number(f"{sign}{SPACE}{short:,}", "", f"{value.value:,f} {value.currency}")


def zone_of(name: str) -> ZoneInfo:
    """The reader's time zone; UTC where the name is unknown to this machine."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def zone_shown(now: datetime, zone: ZoneInfo) -> str:
    """The zone that the times of a page are in: `Europe/Vienna, UTC+01:00`."""
    offset = now.astimezone(zone).strftime("%z")
    return f"{zone.key}, UTC{offset[:3]}:{offset[3:]}"


def moment(at: datetime, now: datetime, zone: ZoneInfo) -> Moment:
    """A time for a page, relative when near: `in 3 h, today 17:30`; the exact one goes along."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    near = _relative(at - now)
    where = _calendar(local, today)
    return Moment(at.isoformat(), f"{near}, {where}" if near else where, _exact(local))


def deadline(at: datetime, now: datetime, zone: ZoneInfo) -> Moment:
    """A time by which something is due: `today 17:30 (in 3 h)`."""
    local = at.astimezone(zone)
    near, where = _relative(at - now), _calendar(local, now.astimezone(zone))
    return Moment(at.isoformat(), f"{where} ({near})" if near else where, _exact(local))


def clock(at: datetime, now: datetime, zone: ZoneInfo) -> Moment:
    """A time without the relative part, for lists in order of time: `today 10:41`, `30 Nov, 17:30`."""
    local = at.astimezone(zone)
    return Moment(at.isoformat(), _calendar(local, now.astimezone(zone)), _exact(local))


def day(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """A day in a sentence: `30 November`, with the year when it is another one."""
    local = at.astimezone(zone)
    year = "" if local.year == now.astimezone(zone).year else f"{SPACE}{local.year}"
    return f"{local.day}{SPACE}{local:%B}{year}"


def _exact(local: datetime) -> str:
    offset = local.strftime("%z")
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M:%S} {local.tzname()} (UTC{offset[:3]}:{offset[3:]})"


def _relative(distance: timedelta) -> str:
    seconds = int(distance.total_seconds())
    size = abs(seconds)
    if size < 60:
        return "just now" if seconds <= 0 else "in a moment"
    if size < 3600:
        words = f"{size // 60}{SPACE}min"
    elif size < 24 * 3600:
        words = f"{size // 3600}{SPACE}h"
    elif size < 7 * 24 * 3600:
        words = f"{size // 86400}{SPACE}{plural('day', one=size // 86400 == 1)}"
    else:
        return ""
    return f"in {words}" if seconds > 0 else f"{words} ago"


def _calendar(local: datetime, today: datetime) -> str:
    days = (local.date() - today.date()).days
    time = f"{local:%H:%M}"
    if days in (-1, 0, 1):
        return f"{('yesterday', 'today', 'tomorrow')[days + 1]}{SPACE}{time}"
    year = "" if local.year == today.year else f"{SPACE}{local.year}"
    return f"{local.day}{SPACE}{local:%b}{year}, {time}"
