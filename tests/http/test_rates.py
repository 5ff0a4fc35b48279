"""Who asks too often for what needs no sign-in waits; whoever is signed in does not notice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from prometheus_client import REGISTRY

from governance.api import ground
from governance.http.rates import Rate, address_of
from governance.settings import Settings
from tests.api.conftest import token_of
from tests.http.conftest import mount as mount_pages
from tests.http.site import Site, demo, serving
from tests.identity.organisation import Hospital

SIGN_INS, WRONG = 3, 2
HTML = {"Accept": "text/html"}
ROUTES = ["GET /sign-in/start", "GET /sign-in/callback", "GET /api/v1/session/device", "POST /api/v1/session"]


def test_a_minutes_worth_may_come_at_once_and_then_evenly() -> None:
    rate = Rate(per_minute=6, addresses_max=10)
    assert [rate.take("a", 100.0) for _ in range(6)] == [0.0] * 6
    assert rate.take("a", 100.0) == pytest.approx(10)
    assert rate.take("a", 107.5) == pytest.approx(2.5), "what was refused is not counted"
    assert [rate.take("a", 110.0) > 0 for _ in range(2)] == [False, True]
    assert [rate.take("a", 1000.0) for _ in range(6)] == [0.0] * 6


def test_one_address_does_not_wait_for_another() -> None:
    rate = Rate(per_minute=1, addresses_max=10)
    assert [rate.take(one, 0.0) > 0 for one in ("a", "a", "b")] == [False, True, False]


def test_no_more_addresses_are_remembered_than_it_says_and_who_still_asks_stays() -> None:
    rate = Rate(per_minute=1, addresses_max=3)
    rate.take("insistent", 0.0)
    for number in range(1000):
        rate.take(str(number), 0.0)
        assert rate.take("insistent", 0.0) > 0
    assert len(rate._used_until_s) == 3


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("x" * 1000, "x" * 64),
        (None, ""),
    ],
)
def test_an_address_is_one_machine_or_one_network_of_version_6(host: str | None, address: str) -> None:
    scope = {"type": "http", "client": (host, 1) if host is not None else None}
    assert address_of(Request(scope)) == address


@pytest.fixture
def site(hospital: Hospital) -> Iterator[Site]:
    settings = demo(web={"sign_in_requests_per_minute": SIGN_INS, "wrong_tokens_per_minute": WRONG})
    with serving(hospital, settings, mount) as one:
        yield one


def mount(app: FastAPI, settings: Settings) -> None:
    mount_pages(app, settings)
    app.include_router(ground.api())


def refused(what: str) -> float:
    return REGISTRY.get_sample_value("governance_rate_limited_total", {"what": what}) or 0.0


@pytest.mark.parametrize("route", ROUTES)
def test_whoever_signs_in_too_often_waits(site: Site, route: str) -> None:
    method, path = route.split()
    before = refused("sign_in")
    answers = [site.client.request(method, path, json={"id_token": "x"}) for _ in range(SIGN_INS + 1)]
    assert 429 not in [one.status_code for one in answers[:-1]]
    last = answers[-1]
    assert (last.status_code, last.headers["Content-Type"]) == (429, "application/problem+json")
    assert last.json()["type"] == "urn:governance:problem:too-many-requests"
    assert 1 <= int(last.headers["Retry-After"]) <= 60 / SIGN_INS
    assert last.headers["Retry-After"] in last.json()["remedy"]
    assert refused("sign_in") == before + 1


def test_a_person_is_told_on_a_page(site: Site) -> None:
    for _ in range(SIGN_INS):
        site.client.get("/sign-in/callback", headers=HTML)
    answer = site.client.get("/sign-in/callback", headers=HTML)
    assert (answer.status_code, answer.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert int(answer.headers["Retry-After"]) > 0
    assert "Try again in" in answer.text


def test_every_part_of_a_sign_in_counts_and_the_sign_in_page_does_not(site: Site) -> None:
    for _ in range(SIGN_INS * 2):
        assert site.client.get("/sign-in").status_code == 200
    for path in ("/sign-in/callback", "/api/v1/session/device", "/sign-in/start"):
        assert site.client.get(path).status_code != 429
    assert site.client.get("/sign-in/callback").status_code == 429


def test_wrong_tokens_wait_and_a_right_one_from_the_same_address_passes(site: Site) -> None:
    right = {"Authorization": f"Bearer {token_of(site.hospital.engine, 'okafor')}"}
    wrong = {"Authorization": "Bearer gov_wrong"}
    before = refused("wrong_token")
    told = [site.client.get("/api/v1/session", headers=wrong).status_code for _ in range(WRONG + 2)]
    assert told == [401] * WRONG + [429] * 2
    assert refused("wrong_token") == before + 2
    for _ in range(WRONG + 1):
        assert site.client.get("/api/v1/session", headers=right).status_code == 200
    assert site.client.get("/sign-in").status_code == 200
