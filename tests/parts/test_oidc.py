"""The provider signs people in by browser and by device."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tests.parts import oidc

pytestmark = [pytest.mark.real]
BACK = "http://127.0.0.1:9/signed-in"
SCOPES = "openid email profile groups"


def discover(provider: oidc.Oidc) -> dict[str, str]:
    found: dict[str, str] = httpx.get(f"{provider.issuer}/.well-known/openid-configuration").json()
    return found


def follow(client: httpx.Client, response: httpx.Response) -> httpx.Response:
    """Follow redirects as long as they stay at the provider."""
    while response.is_redirect and not response.headers["location"].startswith(BACK):
        response = client.get(response.headers["location"])
    return response


def sign_in(client: httpx.Client, page: httpx.Response, account: str) -> httpx.Response:
    action = re.search(r'action="(/interaction/[^"]+)"', page.text)
    assert action, page.text
    return follow(client, client.post(action[1], data={"account": account, "password": "any"}))


def test_code_with_pkce_gives_the_accounts_claims(tmp_path: Path) -> None:
    verifier = generate_token(48)
    with oidc.start(tmp_path, [BACK]) as provider, httpx.Client(base_url=provider.issuer) as client:
        metadata = discover(provider)
        query = {
            "client_id": provider.client_id,
            "response_type": "code",
            "redirect_uri": BACK,
            "scope": SCOPES,
            "state": "s",
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        page = follow(client, client.get(metadata["authorization_endpoint"], params=query))
        assert sign_in(client, page, "nobody").status_code == 401
        back = sign_in(client, page, "okafor").headers["location"]
        code = parse_qs(urlsplit(back).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
        secret = (provider.client_id, provider.client_secret)
        refused = client.post(metadata["token_endpoint"], data=form | {"code_verifier": "x" * 43}, auth=secret)
        assert refused.json()["error"] == "invalid_grant"
        back = follow(client, client.get(metadata["authorization_endpoint"], params=query)).headers["location"]
        form |= {"code": parse_qs(urlsplit(back).query)["code"][0], "code_verifier": verifier}
        tokens = client.post(metadata["token_endpoint"], data=form, auth=secret).json()
        claims = client.get(
            metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {tokens['access_token']}"}
        ).json()
    assert "refresh_token" in tokens
    assert claims["sub"] == "okafor"
    assert claims["email"] == "ngozi.okafor@hospital.example"
    assert claims["groups"] == ["oncology"]


def test_a_device_is_signed_in_by_a_person_elsewhere(tmp_path: Path) -> None:
    device = {"client_id": oidc.DEVICE_CLIENT_ID}
    with oidc.start(tmp_path, [BACK]) as provider, httpx.Client(base_url=provider.issuer) as client:
        metadata = discover(provider)
        begun = client.post(metadata["device_authorization_endpoint"], data=device | {"scope": SCOPES}).json()
        poll = device | {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": begun["device_code"],
        }
        assert client.post(metadata["token_endpoint"], data=poll).json()["error"] == "authorization_pending"
        form = client.get(begun["verification_uri"])
        xsrf = re.search(r'name="xsrf" value="([^"]+)"', form.text)
        assert xsrf, form.text
        answer = {"xsrf": xsrf[1], "user_code": begun["user_code"], "confirm": "yes"}
        page = follow(client, client.post(begun["verification_uri"], data=answer))
        done = sign_in(client, page, "lindqvist")
        assert "Signed in" in done.text
        assert "id_token" in client.post(metadata["token_endpoint"], data=poll).json()
