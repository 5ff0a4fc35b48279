from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from joserfc.jwk import ECKey
from sqlalchemy import Engine
from sqlmodel import select

from governance.api import ground
from governance.audit.tables import AuditEvent
from governance.db.session import reading
from governance.identity.tables import ApiToken, SpentIdToken
from governance.settings import Settings
from governance.web import signin
from tests.http.site import Site, as_cookie, demo, production, serving
from tests.identity import issuer, organisation

DEVICE = "governance-cli"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # SEC 2, section 2.4.2


@pytest.fixture(scope="module")
def provider() -> Iterator[issuer.Issuer]:
    with issuer.running() as one:
        yield one


@pytest.fixture
def hospital(sqlite: Engine) -> organisation.Hospital:
    return organisation.build(sqlite)


@pytest.fixture
def site(hospital: organisation.Hospital, provider: issuer.Issuer) -> Iterator[Site]:
    settings = production(oidc={"issuer": provider.url, "client_id": issuer.CLIENT, "device_client_id": DEVICE})
    with serving(hospital, settings, mount) as one:
        yield one


def mount(app: FastAPI, settings: Settings) -> None:
    signin.mount(app, settings)
    app.include_router(ground.api())


def id_token(
    site: Site,
    provider: issuer.Issuer,
    *,
    key: ECKey | None = None,
    **changes: Any,  # noqa: ANN401  (claims are JSON)
) -> str:
    now_s = int(site.clock().timestamp())
    usual = {"iss": provider.url, "aud": DEVICE, "sub": "00u1", "iat": now_s, "exp": now_s + 3600}
    return provider.sign(usual | {"email": "okafor@x.org", "email_verified": True} | changes, key=key)


def exchange(site: Site, token: str, **more: str) -> httpx.Response:
    return site.client.post("/api/v1/session", json={"id_token": token} | more)


def bearer(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_the_command_line_learns_where_to_sign_in(site: Site, provider: issuer.Issuer) -> None:
    assert site.client.get("/api/v1/session/device").json() == {
        "issuer": provider.url,
        "device_authorization_endpoint": f"{provider.url}/device",
        "token_endpoint": f"{provider.url}/token",
        "client_id": DEVICE,
        "scope": "openid email profile groups",
    }


def test_an_id_token_becomes_a_session_token_of_its_person(site: Site, provider: issuer.Issuer) -> None:
    answer = exchange(site, id_token(site, provider))
    assert answer.status_code == 201
    assert answer.json()["person"] == "okafor"
    assert datetime.fromisoformat(answer.json()["expires_at"]) == site.clock() + timedelta(hours=12)
    who = site.client.get("/api/v1/session", headers=bearer(answer)).json()
    assert who["person"] == "okafor"
    assert who["signed_in_by"] == "token"
    assert who["roles"] == ["requester"]
    assert "change:ask" in who["permissions"]
    assert "change:review" not in who["permissions"]


def test_the_session_token_ends_with_its_hours(site: Site, provider: issuer.Issuer) -> None:
    token = bearer(exchange(site, id_token(site, provider)))
    site.clock.move(timedelta(hours=12))
    assert site.client.get("/api/v1/session", headers=token).status_code == 401


def test_signing_out_revokes_the_token_that_is_used(site: Site, provider: issuer.Issuer) -> None:
    first = bearer(exchange(site, id_token(site, provider)))
    second = bearer(exchange(site, id_token(site, provider, jti="2")))
    assert site.client.delete("/api/v1/session", headers=first).status_code == 204
    assert site.client.get("/api/v1/session", headers=first).status_code == 401
    assert site.client.get("/api/v1/session", headers=second).status_code == 200


def test_a_browsers_session_is_not_signed_out_here(hospital: organisation.Hospital) -> None:
    with serving(hospital, demo(), mount) as site:
        cookie = as_cookie(site.client.post("/sign-in/demo", data={"person": "okafor"}))
        assert site.client.delete("/api/v1/session", headers=cookie).status_code == 403


def test_an_id_token_is_good_for_one_exchange(site: Site, provider: issuer.Issuer) -> None:
    token = id_token(site, provider)
    assert [exchange(site, token).status_code for _ in range(2)] == [201, 401]
    with reading(site.hospital.engine) as session:
        assert len(session.exec(select(ApiToken)).all()) == 1


def test_an_id_token_under_the_other_form_of_its_signature_is_the_same(site: Site, provider: issuer.Issuer) -> None:
    """With (r, s) also (r, n - s) is a valid ECDSA signature, which anybody can compute."""
    key = ECKey.generate_key("P-256", auto_kid=True)
    provider.keys.append(key)
    try:
        token = id_token(site, provider, key=key)
        signed, _, signature = token.rpartition(".")
        raw = urlsafe_b64decode(signature + "==")
        other = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)
        again = f"{signed}.{urlsafe_b64encode(other).rstrip(b'=').decode()}"
        assert [exchange(site, one).status_code for one in (token, again)] == [201, 401]
    finally:
        provider.keys.remove(key)


def test_spent_id_tokens_are_remembered_for_longer_than_they_are_taken(site: Site, provider: issuer.Issuer) -> None:
    exchange(site, id_token(site, provider))
    with reading(site.hospital.engine) as session:
        (spent,) = session.exec(select(SpentIdToken)).all()
    assert spent.expires_at > site.clock() + timedelta(minutes=10)


def test_a_stranger_is_refused_which_stands_in_the_audit_log_and_leaves_nothing_else(
    site: Site, provider: issuer.Issuer
) -> None:
    answer = exchange(site, id_token(site, provider, email="mallory@x.org"))
    assert answer.status_code == 403
    assert "does not know you" in answer.json()["detail"]
    with reading(site.hospital.engine) as session:
        for table in (ApiToken, SpentIdToken):
            assert session.exec(select(table)).all() == []
        (event,) = session.exec(select(AuditEvent)).all()
    assert (event.actor, event.action) == ("mallory@x.org", "session.refuse")


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": issuer.CLIENT},  # of the pages' client: what a browser brought back is not for here
        {"aud": "another"},
        {"iss": "https://evil.example"},
        {"exp": 7},
        {"iat": 7},
    ],
    ids=str,
)
def test_an_id_token_that_does_not_hold_is_refused(site: Site, provider: issuer.Issuer, wrong: dict[str, Any]) -> None:
    assert exchange(site, id_token(site, provider, **wrong)).status_code == 401


def test_an_id_token_older_than_ten_minutes_is_refused(site: Site, provider: issuer.Issuer) -> None:
    token = id_token(site, provider)
    site.clock.move(timedelta(minutes=10, seconds=1))
    answer = exchange(site, token)
    assert answer.status_code == 401
    assert "ten minutes" in answer.json()["detail"]


def test_somebody_elses_id_token_with_ones_own_access_token_is_refused(site: Site, provider: issuer.Issuer) -> None:
    provider.userinfo = {"sub": "00u2", "email": "haddad@x.org", "email_verified": True}
    try:
        answer = exchange(site, id_token(site, provider, email_verified=False), access_token="access")
    finally:
        provider.userinfo = None
    assert answer.status_code in {401, 403}
    assert "token" not in answer.json()


@pytest.mark.parametrize(
    "body", [{}, {"id_token": ""}, {"id_token": 7}, {"id_token": "x", "scopes": ["*"]}, {"id_token": "x" * 20_000}, []]
)
def test_a_body_that_makes_no_sense_is_refused(site: Site, body: object) -> None:
    answer = site.client.post("/api/v1/session", json=body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_secret_of_a_session_token_stands_in_no_log(site: Site, provider: issuer.Issuer) -> None:
    answer = exchange(site, id_token(site, provider))
    with reading(site.hospital.engine) as session:
        rows = [row.model_dump_json() for table in (ApiToken, AuditEvent) for row in session.exec(select(table)).all()]
    assert len(rows) == 2
    assert not any(answer.json()["token"] in row for row in rows)


def test_an_address_names_every_method_that_it_answers_to(site: Site) -> None:
    assert site.client.put("/api/v1/session").headers["Allow"] == "DELETE, GET, POST"


def test_the_description_tells_of_problems_and_of_how_to_sign_in(site: Site) -> None:
    described = site.client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    whoami = described["paths"]["/api/v1/session"]["get"]
    assert whoami["security"] == [{"token": []}]
    assert list(whoami["responses"]["401"]["content"]) == ["application/problem+json"]
    assert list(whoami["responses"]["422"]["content"]) == ["application/problem+json"]
    assert not described["paths"]["/api/v1/session/device"]["get"].get("security")
    assert all(path.startswith("/api/v1/") for path in described["paths"])
