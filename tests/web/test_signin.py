from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import select

from governance.audit.tables import AuditEvent
from governance.db.session import reading, transaction
from governance.errors import BadInput
from governance.http.sessions import SIGN_IN_LASTS
from governance.identity.tables import WebSession
from governance.web import signin
from tests.http.conftest import mount
from tests.http.site import Site, as_cookie, cookies_of, csrf, demo, production, serving
from tests.identity import issuer, organisation

HTML = {"Accept": "text/html"}
SESSION = "__Host-governance"
SIGN_IN = "__Host-governance-sign-in"


@pytest.fixture(scope="module")
def provider() -> Iterator[issuer.Issuer]:
    with issuer.running() as one:
        yield one


@pytest.fixture
def hospital(sqlite: Engine) -> organisation.Hospital:
    return organisation.build(sqlite)


@pytest.fixture
def site(hospital: organisation.Hospital, provider: issuer.Issuer) -> Iterator[Site]:
    """An installation whose people sign in with a provider."""
    settings = production(oidc={"issuer": provider.url, "client_id": issuer.CLIENT})
    with serving(hospital, settings, mount) as one:
        yield one


@pytest.fixture
def demo_site(hospital: organisation.Hospital) -> Iterator[Site]:
    with serving(hospital, demo(), mount) as one:
        yield one


def depart(site: Site, next_path: str = "/changes/7?tab=1") -> httpx.Response:
    return site.client.get("/sign-in/start", params={"next": next_path})


def come_back(
    site: Site,
    provider: issuer.Issuer,
    departed: httpx.Response,
    **claims: Any,  # noqa: ANN401  (claims are JSON)
) -> str:
    """What a person does at the provider; the path to which it sends the browser back."""
    now_s = int(site.clock().timestamp())
    usual = {"iss": provider.url, "aud": issuer.CLIENT, "sub": "00u1", "iat": now_s, "exp": now_s + 300}
    who = {"email": "okafor@x.org", "email_verified": True}
    back = urlsplit(provider.authorize(departed.headers["Location"], **(usual | who | claims)))
    assert f"{back.scheme}://{back.netloc}" == "https://governance.test"
    return f"{back.path}?{back.query}"


def sign_in(site: Site, provider: issuer.Issuer, cookie: dict[str, str] | None = None) -> httpx.Response:
    departed = depart(site)
    both = "; ".join(one["Cookie"] for one in (as_cookie(departed), cookie or {}) if one)
    return site.client.get(come_back(site, provider, departed), headers={"Cookie": both})


def test_a_person_signs_in_and_comes_back_to_where_they_were(site: Site, provider: issuer.Issuer) -> None:
    arrived = sign_in(site, provider)
    assert arrived.status_code == 303
    assert arrived.headers["Location"] == "/changes/7?tab=1"
    assert site.client.get("/me", headers=as_cookie(arrived)).json() == "okafor"


def test_the_cookies_are_bound_to_host_and_tls_and_hidden_from_scripts(site: Site, provider: issuer.Issuer) -> None:
    departed, arrived = depart(site), sign_in(site, provider)
    for response, name in ((departed, SIGN_IN), (arrived, SESSION)):
        cookie = cookies_of(response)[name]
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["path"] == "/"
        assert cookie["samesite"].lower() == "lax"
        assert not cookie["domain"]
        assert len(cookie.value) >= 43  # 256 bits in base64url
    assert int(cookies_of(arrived)[SESSION]["max-age"]) == 12 * 3600
    assert not cookies_of(arrived)[SIGN_IN].value


def test_what_the_database_keeps_opens_no_session(site: Site, provider: issuer.Issuer) -> None:
    sign_in(site, provider)
    with reading(site.hospital.engine) as session:
        (row,) = session.exec(select(WebSession)).all()
    assert site.client.get("/me", headers={"Cookie": f"{SESSION}={row.token_hash}"}).status_code == 401


def test_a_planted_cookie_is_not_the_session_that_sign_in_opens(site: Site, provider: issuer.Issuer) -> None:
    planted = {"Cookie": f"{SESSION}=planted-by-somebody"}
    arrived = sign_in(site, provider, planted)
    assert cookies_of(arrived)[SESSION].value != "planted-by-somebody"
    assert site.client.get("/me", headers=planted).status_code == 401


def test_signing_in_again_ends_the_session_before(site: Site, provider: issuer.Issuer) -> None:
    first = as_cookie(sign_in(site, provider))
    second = as_cookie(sign_in(site, provider, first))
    assert site.client.get("/me", headers=first).status_code == 401
    assert site.client.get("/me", headers=second).status_code == 200


def test_a_sign_in_under_way_is_no_session(site: Site) -> None:
    token = cookies_of(depart(site))[SIGN_IN].value
    assert site.client.get("/me", headers={"Cookie": f"{SESSION}={token}"}).status_code == 401


def test_a_session_is_not_a_sign_in_under_way(site: Site, provider: issuer.Issuer) -> None:
    token = cookies_of(sign_in(site, provider))[SESSION].value
    back = come_back(site, provider, depart(site))
    assert site.client.get(back, headers={"Cookie": f"{SIGN_IN}={token}"}).status_code == 403
    assert site.client.get("/me", headers={"Cookie": f"{SESSION}={token}"}).status_code == 200


def test_coming_back_works_once(site: Site, provider: issuer.Issuer) -> None:
    departed = depart(site)
    back, cookie = come_back(site, provider, departed), as_cookie(departed)
    assert site.client.get(back, headers=cookie).status_code == 303
    assert site.client.get(back, headers=cookie | HTML).status_code == 403


def test_coming_back_in_another_browser_is_refused(site: Site, provider: issuer.Issuer) -> None:
    mine, other = depart(site), depart(site)
    back = come_back(site, provider, mine)
    for headers in ({}, as_cookie(other), {"Cookie": f"{SIGN_IN}=guess"}):
        answer = site.client.get(back, headers=headers)
        assert answer.status_code == 403
        assert not cookies_of(answer)


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x", "?code=x&state=x", "?code=x&state=%FF", "?error=denied"])
def test_coming_back_without_the_right_state_is_refused(site: Site, query: str) -> None:
    answer = site.client.get(f"/sign-in/callback{query}", headers=as_cookie(depart(site)) | HTML)
    assert answer.status_code == 403
    assert "not started here" in answer.text


def test_a_provider_that_declines_is_said_so_without_its_words(site: Site) -> None:
    departed = depart(site)
    state = httpx.URL(departed.headers["Location"]).params["state"]
    answer = site.client.get(
        "/sign-in/callback", params={"state": state, "error": "<script>x"}, headers=as_cookie(departed) | HTML
    )
    assert answer.status_code == 403
    assert "did not sign you in" in answer.text
    assert "script" not in answer.text


def test_coming_back_too_late_is_refused(site: Site, provider: issuer.Issuer) -> None:
    departed = depart(site)
    site.clock.move(SIGN_IN_LASTS)
    back = come_back(site, provider, departed)
    assert site.client.get(back, headers=as_cookie(departed)).status_code == 403


@pytest.mark.parametrize(
    "wrong", [{"aud": "another"}, {"nonce": "another"}, {"exp": 7}, {"iss": "https://evil.example"}]
)
def test_an_id_token_that_does_not_hold_signs_nobody_in(
    site: Site, provider: issuer.Issuer, wrong: dict[str, Any]
) -> None:
    departed = depart(site)
    back = come_back(site, provider, departed)
    provider.claims |= wrong
    answer = site.client.get(back, headers=as_cookie(departed) | HTML)
    assert answer.status_code == 403
    assert SESSION not in cookies_of(answer)


def test_a_stranger_is_told_whom_to_ask(site: Site, provider: issuer.Issuer) -> None:
    departed = depart(site)
    back = come_back(site, provider, departed, email="mallory@x.org")
    answer = site.client.get(back, headers=as_cookie(departed) | HTML)
    assert answer.status_code == 403
    assert "this service does not know you" in answer.text
    assert "mallory@x.org" in answer.text
    assert SESSION not in cookies_of(answer)
    with reading(site.hospital.engine) as session:
        (event,) = session.exec(select(AuditEvent)).all()
    assert (event.actor, event.action) == ("mallory@x.org", "session.refuse")


def test_a_session_ends_with_its_hours_however_often_it_is_used(site: Site, provider: issuer.Issuer) -> None:
    cookie = as_cookie(sign_in(site, provider))
    for _ in range(4 * 12 - 1):
        site.clock.move(timedelta(minutes=15))
        assert site.client.get("/me", headers=cookie).status_code == 200
    site.clock.move(timedelta(minutes=15))
    assert site.client.get("/me", headers=cookie).status_code == 401


def test_a_session_ends_when_its_person_leaves(site: Site, provider: issuer.Issuer) -> None:
    cookie = as_cookie(sign_in(site, provider))
    with transaction(site.hospital.engine) as session:
        session.merge(site.hospital.people["okafor"]).active = False
    assert site.client.get("/me", headers=cookie).status_code == 401


def test_signing_out_ends_the_session_on_the_server(site: Site, provider: issuer.Issuer) -> None:
    cookie = as_cookie(sign_in(site, provider))
    assert site.client.post("/sign-out", headers=cookie).status_code == 403  # not by another site's form
    out = site.client.post("/sign-out", headers=cookie, data={"csrf_token": csrf(site, cookie)})
    assert out.status_code == 303
    assert out.headers["Location"] == "/sign-in"
    assert not cookies_of(out)[SESSION].value
    assert site.client.get("/me", headers=cookie).status_code == 401


def test_signing_in_and_out_stand_in_the_audit_log(site: Site, provider: issuer.Issuer) -> None:
    cookie = as_cookie(sign_in(site, provider))
    site.client.post("/sign-out", headers=cookie | {"X-Request-ID": "r1"}, data={"csrf_token": csrf(site, cookie)})
    with reading(site.hospital.engine) as session:
        events = {one.action: one for one in session.exec(select(AuditEvent)).all()}
    assert set(events) == {"session.open", "session.close"}
    assert {one.actor for one in events.values()} == {"okafor"}
    assert events["session.open"].reason == "identity provider: 00u1"
    assert events["session.close"].request_id == "r1"


def test_sign_ins_that_were_left_are_cleared_away(site: Site) -> None:
    for _ in range(3):
        depart(site)
    site.clock.move(SIGN_IN_LASTS)
    depart(site)
    with reading(site.hospital.engine) as session:
        assert len(session.exec(select(WebSession)).all()) == 1


def test_a_provider_that_is_gone_is_said_so(hospital: organisation.Hospital) -> None:
    settings = production(oidc={"issuer": "http://127.0.0.1:9", "client_id": "governance"})
    with serving(hospital, settings, mount) as site:
        answer = site.client.get("/sign-in/start", headers=HTML)
        assert site.client.get("/sign-in").status_code == 200
    assert answer.status_code == 503
    assert "identity provider" in answer.text


def test_whoever_is_signed_in_is_not_asked_again(site: Site, provider: issuer.Issuer) -> None:
    cookie = as_cookie(sign_in(site, provider))
    answer = site.client.get("/sign-in?next=/changes", headers=cookie)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/changes")


ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "javascript:alert(1)",
    "http:evil.example",
    "evil.example",
    "",
    " /changes",
    "/sign-in",
    "/sign-in/start?next=/",
    "/" + "x" * 2000,
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_a_sign_in_leads_to_no_other_place(path: str) -> None:
    assert signin.safe_next(path) == "/"


@pytest.mark.parametrize("path", ["/", "/changes/CH-1", "/changes?filter=a&b=//c", "/a#b", "/ü", "/a?next=https://x"])
def test_a_sign_in_leads_to_any_page_of_ours(path: str) -> None:
    assert signin.safe_next(path) == path


PIECES = ["/", "\\", "\t", "\n", " ", "evil.example", ":", "@", "?"]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=5).map(lambda pieces: "/" + "".join(pieces)))
def test_wherever_a_sign_in_leads_it_is_this_site(path: str) -> None:
    """Judged as the URL standard tells browsers to: control characters dropped, backslashes read as slashes."""
    as_read = "".join(one for one in signin.safe_next(path).replace("\\", "/") if one not in "\t\n\r").strip()
    assert urlsplit(urljoin("https://governance.test/sign-in", as_read)).netloc == "governance.test"


def test_the_demo_lets_choose_a_person(demo_site: Site) -> None:
    page = demo_site.client.get("/sign-in?next=/changes")
    assert "Dr. Okafor" in page.text
    chosen = demo_site.client.post("/sign-in/demo", data={"person": "okafor", "next": "/changes"})
    assert (chosen.status_code, chosen.headers["Location"]) == (303, "/changes")
    cookie = cookies_of(chosen)["governance"]  # on plain HTTP, where a Secure cookie would be dropped
    assert not cookie["secure"]
    assert cookie["httponly"]
    assert demo_site.client.get("/me", headers=as_cookie(chosen)).json() == "okafor"


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_the_demo_leads_nowhere_else_either(demo_site: Site, path: str) -> None:
    chosen = demo_site.client.post("/sign-in/demo", data={"person": "okafor", "next": path})
    assert chosen.headers["Location"] == "/"


@pytest.mark.parametrize("form", [{}, {"person": "nobody"}, {"person": ""}, {"person": "x" * 300}])
def test_the_demo_signs_in_nobody_else(demo_site: Site, form: dict[str, str]) -> None:
    answer = demo_site.client.post("/sign-in/demo", data=form)
    assert answer.status_code in {404, 422}
    assert not cookies_of(answer)


def test_somebody_who_left_cannot_be_chosen(demo_site: Site) -> None:
    with transaction(demo_site.hospital.engine) as session:
        session.merge(demo_site.hospital.people["okafor"]).active = False
    assert "Dr. Okafor" not in demo_site.client.get("/sign-in").text
    assert demo_site.client.post("/sign-in/demo", data={"person": "okafor"}).status_code == 404


def test_outside_of_the_demo_there_is_no_such_route(site: Site) -> None:
    answer = site.client.post("/sign-in/demo", data={"person": "okafor"})
    assert answer.status_code == 404
    assert not cookies_of(answer)
    assert "Dr. Okafor" not in site.client.get("/sign-in").text


def test_outside_of_the_demo_it_refuses_to_start() -> None:
    with pytest.raises(BadInput, match="for the demo alone") as refused:
        signin.mount_demo(FastAPI(), production())
    assert refused.value.field == "environment"
