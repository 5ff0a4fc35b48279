"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.units import Money
from governance.web.formats import clock, day, deadline, moment, money, number, zone_of
from governance.wording import listed, noun, percent, phrase, resource_title, things, unit_for

GI = 1024**3
GPU = "requests.nvidia.com/gpu"
NOW = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)
VIENNA = zone_of("Europe/Vienna")


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("resource", "amount", "more", "expected"),
    [
        (GPU, 6, True, "6 more GPUs"),
        (GPU, 1, True, "1 more GPU"),
        ("requests.cpu", 12000, False, "12 cores of CPU"),
        ("requests.cpu", 1000, True, "1 more core of CPU"),
        ("requests.cpu", 1500, False, "1.5 cores of CPU"),
        ("requests.memory", 16 * GI, True, "16 GiB more memory"),
        ("requests.memory", 512 * 1024**2, False, "512 MiB of memory"),
        ("services.loadbalancers", 2, False, "2 load balancers"),
        ("pods", 1, False, "1 pod"),
        ("count/deployments.apps", 3, False, "3 deployments"),
        ("vcpus", 4, False, "4 vCPUs"),
    ],
)
def test_an_amount_reads_as_people_say_it(resource: str, amount: int, more: bool, expected: str) -> None:
    assert plain(phrase(resource, amount, more=more)) == expected


def test_a_storage_class_is_named() -> None:
    assert resource_title("fast.storageclass.storage.k8s.io/requests.storage") == "Storage, class fast"
    assert noun("services.loadbalancers") == "load balancers"


def test_amounts_of_one_meter_share_a_unit_in_which_the_smallest_is_not_nothing() -> None:
    unit = unit_for("requests.memory", (8 * GI, 10 * GI, 1024 * GI))
    assert [number("requests.memory", one, unit).text for one in (8 * GI, 1024 * GI)] == ["8", "1,024"]


def test_a_short_number_carries_the_exact_one() -> None:
    shown = number("requests.cpu", 41500)
    assert (shown.text, shown.unit, shown.exact) == ("41.5", "cores", "41500m requests.cpu")


@given(part=st.integers(0, 2**63 - 1), whole=st.integers(1, 2**63 - 1))
def test_a_share_says_full_only_of_what_is_full_and_nothing_only_of_nothing(part: int, whole: int) -> None:
    shown = int(plain(percent(part, whole)).removesuffix(" %"))
    assert (shown == 0) == (part == 0)
    assert (shown > 100) == (part > whole)
    assert (shown == 100) == (part == whole)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (timedelta(hours=3), "in 3 h, today 17:30"),
        (timedelta(seconds=-20), "just now, today 14:29"),
        (timedelta(minutes=-5), "5 min ago, today 14:25"),
        (timedelta(hours=-20), "20 h ago, yesterday 18:30"),
        (timedelta(days=2), "in 2 days, 25 Nov, 14:30"),
        (timedelta(days=-30), "24 Oct, 15:30"),
        (timedelta(days=60), "22 Jan 2027, 14:30"),
    ],
)
def test_a_time_is_relative_when_near_and_in_the_readers_zone(distance: timedelta, expected: str) -> None:
    assert plain(moment(NOW + distance, NOW, VIENNA).text) == expected


def test_a_time_carries_the_exact_one_with_its_zone() -> None:
    shown = moment(NOW, NOW, VIENNA)
    assert shown.exact == "Monday 23 November 2026, 14:30:00 CET (UTC+01:00)"
    assert shown.iso == "2026-11-23T13:30:00+00:00"


def test_a_deadline_names_the_time_first_and_a_day_its_month() -> None:
    assert plain(deadline(NOW + timedelta(hours=3), NOW, VIENNA).text) == "today 17:30 (in 3 h)"
    assert plain(clock(NOW, NOW, VIENNA).text) == "today 14:30"
    assert plain(day(NOW + timedelta(days=7), NOW, VIENNA)) == "30 November"


def test_an_unknown_zone_reads_as_utc() -> None:
    assert zone_of("Mars/Olympus").key == "UTC"


def test_lists_and_counts_read_as_sentences() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"], "or") == "a, b or c"
    assert plain(things(1, "person")) == "1 person"
    assert plain(things(1200, "person")) == "1,200 people"


def test_money_is_shortened_when_large_and_exact_on_hover() -> None:
    shown = money(Money(Decimal("1180.504"), "EUR"))
    assert (plain(shown.text), shown.exact) == ("€ 1,181", "1,180.504 EUR")
    assert plain(money(Money(Decimal("12.4"), "EUR")).text) == "€ 12.40"
