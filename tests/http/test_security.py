from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import structlog

from governance.http.security import own_origins
from tests.http.conftest import mount
from tests.http.site import Site, as_cookie, csrf, demo, production, serving
from tests.identity.organisation import Hospital

PUBLIC = "http://127.0.0.1:8080"


@pytest.fixture
def okafor(site: Site) -> dict[str, str]:
    """The cookie of Dr. Okafor's browser."""
    return as_cookie(site.client.post("/sign-in/demo", data={"person": "okafor"}))


@pytest.mark.parametrize("path", ["/page", "/sign-in", "/broken", "/nowhere", "/conflict", "/wish", "/me"])
def test_every_answer_keeps_the_page_to_itself(site: Site, path: str) -> None:
    headers = site.client.get(path, headers={"Accept": "text/html"}).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "object-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["X-Request-ID"]
    assert "Strict-Transport-Security" not in headers  # the demo is on plain HTTP


def test_each_answer_has_its_own_nonce_which_the_page_knows(site: Site) -> None:
    answers = [site.client.get("/page") for _ in range(2)]
    nonces = [answer.json()["nonce"] for answer in answers]
    assert nonces[0] != nonces[1]
    for answer, nonce in zip(answers, nonces, strict=True):
        assert f"script-src 'self' 'nonce-{nonce}'" in answer.headers["Content-Security-Policy"]


def test_a_request_keeps_the_id_that_it_came_with(site: Site) -> None:
    answer = site.client.get("/page", headers={"X-Request-ID": "abc-1"})
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "abc-1"


@pytest.mark.parametrize("wrong", ["", "a b", "x" * 65, "<script>", "a;b"])
def test_an_id_that_is_none_is_replaced(site: Site, wrong: str) -> None:
    answer = site.client.get("/page", headers={"X-Request-ID": wrong})
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"]
    assert answer.headers["X-Request-ID"] != wrong


def test_the_id_stands_in_each_line_of_the_log_and_does_not_leak_into_the_next(site: Site) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        site.client.get("/broken", headers={"X-Request-ID": "abc-1"})
        site.client.get("/broken", headers={"X-Request-ID": "abc-2"})
    assert [line["request_id"] for line in lines] == ["abc-1", "abc-2"]


def test_a_form_of_the_present_session_passes(site: Site, okafor: dict[str, str]) -> None:
    form = {"csrf_token": csrf(site, okafor)}
    assert site.client.post("/me", headers=okafor, data=form).json() == "okafor"
    multipart = site.client.post("/me", headers=okafor, files={"csrf_token": (None, form["csrf_token"])})
    assert multipart.json() == "okafor"
    assert site.client.put("/me", headers=okafor | {"X-CSRF-Token": form["csrf_token"]}).json() == "okafor"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_form_without_the_sessions_token_is_refused(site: Site, okafor: dict[str, str], method: str) -> None:
    for form in ({}, {"csrf_token": ""}, {"csrf_token": "guess"}, {"csrf_token": "é"}):
        assert site.client.request(method, "/me", headers=okafor, data=form).status_code == 403
    in_the_url = site.client.request(method, f"/me?csrf_token={csrf(site, okafor)}", headers=okafor)
    assert in_the_url.status_code == 403


def test_a_form_with_the_token_of_another_session_is_refused(site: Site, okafor: dict[str, str]) -> None:
    other = as_cookie(site.client.post("/sign-in/demo", data={"person": "okafor"}))
    form = {"csrf_token": csrf(site, other)}
    assert site.client.post("/me", headers=okafor, data=form).status_code == 403


@pytest.mark.parametrize(
    "foreign",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "nonsense"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:8081"},
        {"Origin": "https://127.0.0.1:8080"},
        {"Origin": f"{PUBLIC}.evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
def test_what_another_site_sends_is_refused_even_with_everything_right(
    site: Site, okafor: dict[str, str], foreign: dict[str, str]
) -> None:
    form = {"csrf_token": csrf(site, okafor)}
    assert site.client.post("/me", headers=okafor | foreign, data=form).status_code == 403
    assert site.client.post("/sign-in/demo", headers=foreign, data={"person": "okafor"}).status_code == 403


@pytest.mark.parametrize("own", [{"Origin": PUBLIC}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}])
def test_what_our_own_pages_send_passes(site: Site, okafor: dict[str, str], own: dict[str, str]) -> None:
    assert site.client.post("/me", headers=okafor | own, data={"csrf_token": csrf(site, okafor)}).status_code == 200


def test_a_link_from_another_site_opens_a_page(site: Site, okafor: dict[str, str]) -> None:
    assert site.client.get("/me", headers=okafor | {"Sec-Fetch-Site": "cross-site"}).status_code == 200


def chunks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * 100


@pytest.mark.parametrize("path", ["/raw", "/wish", "/nowhere", "/sign-in/demo"])
def test_a_body_over_the_limit_is_refused_by_its_declared_length(site: Site, path: str) -> None:
    answer = site.client.post(path, content=b"x" * 2001, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/raw", "/wish", "/sign-in/demo"])
def test_a_body_over_the_limit_is_refused_while_it_arrives(site: Site, path: str) -> None:
    kind = "application/x-www-form-urlencoded" if path == "/sign-in/demo" else "application/json"
    answer = site.client.post(path, content=chunks(21), headers={"Content-Type": kind})
    assert answer.status_code == 413
    assert answer.json()["detail"] == "The body is larger than 2000 bytes."


def test_a_body_at_the_limit_passes(site: Site) -> None:
    assert site.client.post("/raw", content=b"x" * 2000).json() == 2000
    assert site.client.post("/raw", content=chunks(20)).json() == 2000


def test_only_an_installation_on_tls_tells_browsers_to_stay_there(hospital: Hospital) -> None:
    with serving(hospital, production(), mount) as site:
        assert site.client.get("/page").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_own_origins_are_the_public_ones_and_in_the_demo_each_name_of_loopback() -> None:
    assert own_origins(production()) == {"https://governance.test"}
    assert own_origins(demo()) == {f"http://{host}:8080" for host in ("127.0.0.1", "localhost", "[::1]")}


def test_a_client_that_breaks_off_harms_nobody_else(site: Site) -> None:
    with pytest.raises(httpx.ReadError), httpx.Client(base_url=site.client.base_url) as other:
        other.post("/raw", content=_breaking_off())
    assert site.client.get("/page").status_code == 200


def _breaking_off() -> Iterator[bytes]:
    yield b"x"
    raise httpx.ReadError("the network is gone")
