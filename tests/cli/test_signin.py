from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import respx
from fastapi import FastAPI

from governance import clock
from governance.api import ground
from governance.bootstrap import metadata
from governance.cli import credentials, exits, signin
from governance.cli.exits import Failed
from governance.configuration.apply import Applier, apply
from governance.db.session import make_engine
from governance.http.ground import mount_ground
from governance.settings import Database, Oidc, Settings
from tests.cli.conftest import Shell
from tests.configuration.manifests import SMALL, small
from tests.http.site import listening
from tests.parts import oidc
from tests.parts.test_oidc import follow, sign_in

SERVER = "http://127.0.0.1:8080"
PROVIDER = "http://127.0.0.1:9999"
FLOW = {
    "issuer": PROVIDER,
    "device_authorization_endpoint": f"{PROVIDER}/device",
    "token_endpoint": f"{PROVIDER}/token",
    "client_id": "governance-cli",
    "scope": "openid",
}
ASKED = {
    "device_code": "d",
    "user_code": "ABCD-EFGH",
    "verification_uri": f"{PROVIDER}/confirm",
    "expires_in": 60,
    "interval": 0,
}
SESSION = {"token": "gov_secret", "expires_at": "2026-11-24T10:00:00Z", "person": "okafor"}


def serve(router: respx.MockRouter, *answers: dict[str, str]) -> respx.Route:
    router.get(f"{SERVER}/api/v1/session/device").respond(json=FLOW)
    router.post(f"{PROVIDER}/device").respond(json=ASKED)
    router.post(f"{PROVIDER}/token").mock(side_effect=[httpx.Response(200, json=one) for one in answers])
    return router.post(f"{SERVER}/api/v1/session").respond(201, json=SESSION)


def test_login_waits_for_the_confirmation_and_keeps_the_token(shell: Shell, respx_mock: respx.MockRouter) -> None:
    exchange = serve(respx_mock, {"error": "authorization_pending"}, {"id_token": "i", "access_token": "a"})
    ended = shell.run("login")
    assert ended.code == 0
    assert "confirm the code ABCD-EFGH" in ended.err
    assert json.loads(exchange.calls.last.request.content) == {"id_token": "i", "access_token": "a"}
    assert "gov_secret" not in ended.out + ended.err
    assert credentials.read_token(SERVER) == "gov_secret"
    assert credentials.path().stat().st_mode & 0o777 == 0o600


@pytest.mark.respx(assert_all_called=False)
def test_a_provider_that_is_asked_too_often_is_asked_less_often(
    respx_mock: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    serve(respx_mock, {"error": "slow_down"}, {"error": "authorization_pending"}, {"id_token": "i"})
    with httpx.Client() as provider:
        assert signin._wait(provider, FLOW, ASKED) == {"id_token": "i"}
    assert slept == [0, 5, 5]


@pytest.mark.respx(assert_all_called=False)
@pytest.mark.parametrize("answer", [{"error": "access_denied"}, {"error": "expired_token"}, {"access_token": "a"}])
def test_a_sign_in_that_is_refused_ends_with_4(
    shell: Shell, respx_mock: respx.MockRouter, answer: dict[str, str]
) -> None:
    serve(respx_mock, answer)
    ended = shell.run("login")
    assert (ended.code, ended.out) == (exits.NOT_ALLOWED, "")


def test_logout_ends_the_token_on_both_sides(shell: Shell, respx_mock: respx.MockRouter) -> None:
    shell.patch.setenv("XDG_CONFIG_HOME", str(shell.home))
    credentials.keep_token(SERVER, "gov_secret", "", "okafor")
    ended_there = respx_mock.delete(f"{SERVER}/api/v1/session").respond(204)
    assert shell.run("logout").code == 0
    assert ended_there.called
    assert credentials.read_token(SERVER) is None
    assert shell.run("logout").code == 0


def test_credentials_that_others_can_read_are_refused(shell: Shell) -> None:
    shell.patch.setenv("XDG_CONFIG_HOME", str(shell.home))
    credentials.keep_token(SERVER, "gov_secret", "", "okafor")
    credentials.path().chmod(0o644)
    with pytest.raises(Failed, match="chmod 600"):
        credentials.read_token(SERVER)


def test_credentials_that_are_broken_are_named(shell: Shell) -> None:
    shell.patch.setenv("XDG_CONFIG_HOME", str(shell.home))
    credentials.keep_token(SERVER, "gov_secret", "", "okafor")
    credentials.path().write_text("{")
    assert shell.run("quota", "tree").code == exits.NOT_ALLOWED


@pytest.mark.real
def test_a_person_signs_in_by_device_at_a_real_provider(tmp_path: Path) -> None:
    with oidc.start(tmp_path, []) as provider:
        engine = make_engine(Database(url=f"sqlite:///{tmp_path}/site.db"))
        metadata.create_all(engine)
        person = {**SMALL["Person/lindqvist"], "identities": {"oidc": ["maja.lindqvist@hospital.example"]}}
        apply(engine, small({"Person/lindqvist": person}), Applier(None, "test"), clock.now())
        app = FastAPI()
        clients = Oidc(issuer=provider.issuer, client_id=provider.client_id, device_client_id=provider.device_client_id)
        mount_ground(app, engine, Settings(environment="demo", oidc=clients))
        app.include_router(ground.api())
        with listening(app) as server:
            environment = {"PATH": "/usr/bin:/bin", "GOVERNANCE_SERVER": server, "XDG_CONFIG_HOME": str(tmp_path)}
            command = [sys.executable, "-m", "governance"]
            with subprocess.Popen(
                [*command, "login"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as login:
                assert login.stderr is not None
                link = login.stderr.readline().split()[1]
                code = login.stderr.readline().split()[-1].rstrip(".")
                confirm(provider, link, code)
                out, err = login.communicate(timeout=60)
            assert login.returncode == 0, err
            assert "as lindqvist" in out
            who = subprocess.run([*command, "whoami"], env=environment, capture_output=True, text=True, check=True)
            assert who.stdout.startswith("M. Lindqvist (lindqvist)")
        engine.dispose()


def confirm(provider: oidc.Oidc, link: str, code: str) -> None:
    """Do in a browser what the command asks for."""
    with httpx.Client(base_url=provider.issuer) as client:
        form = client.get(link)
        xsrf = re.search(r'name="xsrf" value="([^"]+)"', form.text)
        assert xsrf, form.text
        answer = {"xsrf": xsrf[1], "user_code": code, "confirm": "yes"}
        page = follow(client, client.post(link.split("?")[0], data=answer))
        assert "Signed in" in sign_in(client, page, "lindqvist").text
