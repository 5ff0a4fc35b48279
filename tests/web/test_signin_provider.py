"""Sign-in with the certified provider, by browser and by device."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Engine

from governance import clock as wall
from governance.api import ground
from governance.settings import Oidc, Settings
from tests.http.conftest import mount as mount_pages
from tests.http.site import Site, as_cookie, production, serving
from tests.identity import organisation
from tests.parts import oidc

pytestmark = [pytest.mark.real]
BACK = "https://governance.test/sign-in/callback"
ACCOUNTS = (oidc.Account("00u1", "okafor@x.org", "Ngozi Okafor"), oidc.Account("00u2", "mallory@x.org", "Mallory"))


def mount(app: FastAPI, settings: Settings) -> None:
    mount_pages(app, settings)
    app.include_router(ground.api())


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[oidc.Oidc]:
    with oidc.start(tmp_path_factory.mktemp("oidc"), [BACK], ACCOUNTS) as running:
        yield running


@pytest.fixture
def site(sqlite: Engine, provider: oidc.Oidc) -> Iterator[Site]:
    hospital = organisation.build(sqlite)
    settings = Oidc(
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret=SecretStr(provider.client_secret),
        device_client_id=provider.device_client_id,
    )
    with serving(hospital, production(oidc=settings), mount) as one:
        yield one
    hospital.engine.dispose()


def follow(browser: httpx.Client, response: httpx.Response) -> httpx.Response:
    """Follow redirects as long as they stay at the provider."""
    while response.is_redirect and not response.headers["Location"].startswith(BACK):
        response = browser.get(response.headers["Location"])
    return response


def log_in(browser: httpx.Client, page: httpx.Response, account: str) -> httpx.Response:
    action = re.search(r'action="(/interaction/[^"]+)"', page.text)
    assert action, page.text
    return follow(browser, browser.post(action[1], data={"account": account, "password": "any"}))


def by_browser(site: Site, provider: oidc.Oidc, account: str) -> httpx.Response:
    departed = site.client.get("/sign-in/start?next=/changes")
    with httpx.Client(base_url=provider.issuer) as browser:
        page = follow(browser, browser.get(departed.headers["Location"]))
        back = urlsplit(log_in(browser, page, account).headers["Location"])
    return site.client.get(f"{back.path}?{back.query}", headers=as_cookie(departed) | {"Accept": "text/html"})


def by_device(site: Site, account: str) -> dict[str, str]:
    """What the command line does: it learns the endpoints from us, and the rest is between it and the provider."""
    told = site.client.get("/api/v1/session/device").json()
    client_id = {"client_id": told["client_id"]}
    with httpx.Client(base_url=told["issuer"]) as browser:
        endpoint = told["device_authorization_endpoint"]
        begun = browser.post(endpoint, data=client_id | {"scope": told["scope"]}).json()
        form = browser.get(begun["verification_uri"])
        xsrf = re.search(r'name="xsrf" value="([^"]+)"', form.text)
        assert xsrf, form.text
        answer = {"xsrf": xsrf[1], "user_code": begun["user_code"], "confirm": "yes"}
        log_in(browser, follow(browser, browser.post(begun["verification_uri"], data=answer)), account)
        grant = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": begun["device_code"],
        }
        found: dict[str, str] = browser.post(told["token_endpoint"], data=client_id | grant).json()
    return found


def test_a_person_signs_in_by_browser(site: Site, provider: oidc.Oidc) -> None:
    site.clock.at = wall.now()
    arrived = by_browser(site, provider, "00u1")
    assert (arrived.status_code, arrived.headers["Location"]) == (303, "/changes")
    assert site.client.get("/me", headers=as_cookie(arrived)).json() == "okafor"


def test_somebody_whom_only_the_provider_knows_is_refused(site: Site, provider: oidc.Oidc) -> None:
    site.clock.at = wall.now()
    arrived = by_browser(site, provider, "00u2")
    assert arrived.status_code == 403
    assert "this service does not know you" in arrived.text


def test_a_person_signs_in_by_device(site: Site) -> None:
    tokens = by_device(site, "00u1")
    site.clock.at = wall.now()
    answer = site.client.post("/api/v1/session", json={"id_token": tokens["id_token"]})
    assert answer.status_code == 201, answer.text
    bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert site.client.get("/api/v1/session", headers=bearer).json()["person"] == "okafor"
    again = site.client.post("/api/v1/session", json={"id_token": tokens["id_token"]})
    assert again.status_code == 401


def test_the_access_token_of_the_device_flow_may_come_along(site: Site) -> None:
    tokens = by_device(site, "00u1")
    site.clock.at = wall.now()
    body = {"id_token": tokens["id_token"], "access_token": tokens["access_token"]}
    assert site.client.post("/api/v1/session", json=body).status_code == 201
