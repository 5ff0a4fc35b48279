"""The moment, the place and the frame in which the sample pages stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from governance.web.formats import clock, deadline, moment, zone_of, zone_shown
from governance.web.views.parts import Moment, Somebody
from governance.web.views.shell import NavigationItem, Shell

NOW = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)
ZONE = zone_of("Europe/Vienna")
GPU = "requests.nvidia.com/gpu"
GI = 1024**3


def at(*, days: float = 0, hours: float = 0, minutes: float = 0) -> Moment:
    return moment(NOW + timedelta(days=days, hours=hours, minutes=minutes), NOW, ZONE)


def due(*, hours: float) -> Moment:
    return deadline(NOW + timedelta(hours=hours), NOW, ZONE)


def tick(*, days: float = 0, hours: float = 0, minutes: float = 0) -> Moment:
    return clock(NOW + timedelta(days=days, hours=hours, minutes=minutes), NOW, ZONE)


def shell(current: str = "/", notice: str = "") -> Shell:
    items = (
        NavigationItem("Home", "/", "home", "h"),
        NavigationItem("Changes", "/changes", "git-pull-request", "c", waiting=2),
        NavigationItem("Quotas", "/quotas", "gauge", "q"),
        NavigationItem("Decisions", "/decisions", "scale", "d"),
        NavigationItem("Mails", "/demo/mails", "mail", "m"),
    )
    return Shell(
        place="St. Elisabeth Hospitals",
        person=Somebody("M. Lindqvist", "approver, Radiology"),
        csrf_token="sample",
        navigation=tuple(replace(item, current=item.href == current) for item in items),
        demo=True,
        notice=notice,
        zone=zone_shown(NOW, ZONE),
    )


NOBODY = Shell(place="St. Elisabeth Hospitals", demo=True)
