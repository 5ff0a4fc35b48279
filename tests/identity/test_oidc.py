from __future__ import annotations

import hmac
import json
import socket
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from governance.errors import Unauthenticated, Unavailable
from governance.identity import oidc
from governance.settings import Oidc
from tests.identity.issuer import CLIENT, Issuer, new_key

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
CALLBACK = "https://governance.test/sign-in/callback"
NONCE = "n-1"


@pytest.fixture
def issuer(running_issuer: Issuer) -> Iterator[Issuer]:
    """The issuer as it was before any test changed it."""
    keys, key = list(running_issuer.keys), running_issuer.key
    running_issuer.asked.clear()
    yield running_issuer
    running_issuer.keys, running_issuer.key = keys, key
    running_issuer.metadata.clear()
    running_issuer.userinfo = None


def provider(issuer: Issuer) -> oidc.Provider:
    return oidc.Provider(Oidc(issuer=issuer.url, client_id=CLIENT), redirect_uri=CALLBACK)


def claims(issuer: Issuer, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  (claims are JSON)
    usual = {
        "iss": issuer.url,
        "aud": CLIENT,
        "sub": "okafor",
        "iat": NOW_S,
        "exp": NOW_S + 300,
        "nonce": NONCE,
        "email": "okafor@x.org",
        "email_verified": True,
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def check(issuer: Issuer, token: str, **changes: Any) -> oidc.Identity:  # noqa: ANN401  (any argument of check)
    return provider(issuer).check(token, NOW, **({"audience": CLIENT, "nonce": NONCE} | changes))


def unsigned(header: dict[str, Any], body: dict[str, Any]) -> str:
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, body)]
    return f"{parts[0]}.{parts[1]}."


def test_a_good_token_says_who_it_is(issuer: Issuer) -> None:
    identity = check(issuer, issuer.sign(claims(issuer)))
    assert identity == oidc.Identity("okafor", "okafor@x.org", NOW_S)


def test_a_token_of_an_elliptic_key_holds_too(issuer: Issuer) -> None:
    key = ECKey.generate_key("P-256", auto_kid=True)
    issuer.keys.append(key)
    assert check(issuer, issuer.sign(claims(issuer), key=key)).subject == "okafor"


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another-client"},
        {"aud": ["another-client"]},
        {"aud": "another-client", "azp": CLIENT},
        {"aud": None},
        {"aud": [CLIENT, "another-client"]},  # several audiences, and nobody says for whom (azp)
        {"azp": "another-client"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": NOW_S - 61},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": float("nan")},
        {"iat": NOW_S + 3600},
        {"iat": None},
        {"nbf": NOW_S + 3600},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
    ],
    ids=str,
)
def test_a_signed_token_with_a_wrong_claim_is_refused(issuer: Issuer, wrong: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated, match="does not hold"):
        check(issuer, issuer.sign(claims(issuer, **wrong)))


def test_a_token_that_nobody_signed_is_refused(issuer: Issuer) -> None:
    for header in ({"alg": "none"}, {"alg": "none", "kid": issuer.key.kid}, {"alg": "None"}, {}):
        with pytest.raises(Unauthenticated):
            check(issuer, unsigned(header, claims(issuer)))


def test_the_public_key_used_as_a_shared_secret_signs_nothing(issuer: Issuer) -> None:
    forged = unsigned({"alg": "HS256", "kid": issuer.key.kid}, claims(issuer)).rstrip(".")
    signature = hmac.digest(issuer.key.as_pem(private=False), forged.encode(), "sha256")
    with pytest.raises(Unauthenticated):
        check(issuer, f"{forged}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}")


def test_a_shared_secret_among_the_published_keys_signs_nothing(issuer: Issuer) -> None:
    secret = OctKey.generate_key(256, auto_kid=True)
    issuer.keys.append(secret)
    header = {"alg": "HS256", "kid": secret.kid}
    forged = jws.serialize_compact(header, json.dumps(claims(issuer)), secret, algorithms=["HS256"])
    with pytest.raises(Unauthenticated):
        check(issuer, forged)


def test_a_token_signed_by_another_key_under_the_same_id_is_refused(issuer: Issuer) -> None:
    other = new_key()
    header = {"alg": "RS256", "kid": issuer.key.kid}
    forged = jws.serialize_compact(header, json.dumps(claims(issuer)), other, algorithms=["RS256"])
    with pytest.raises(Unauthenticated):
        check(issuer, forged)


def test_a_token_whose_claims_were_changed_is_refused(issuer: Issuer) -> None:
    header, _, signature = issuer.sign(claims(issuer)).split(".")
    body = urlsafe_b64encode(json.dumps(claims(issuer, sub="haddad")).encode()).rstrip(b"=").decode()
    with pytest.raises(Unauthenticated):
        check(issuer, f"{header}.{body}.{signature}")


@pytest.mark.parametrize("nonsense", ["", "x", "a.b.c", "....", "é.é.é", "x" * 20_000, "W10.W10.W10", "\x00"])
def test_nonsense_is_refused(issuer: Issuer, nonsense: str) -> None:
    with pytest.raises(Unauthenticated):
        check(issuer, nonsense)


def test_keys_are_fetched_once_and_again_for_a_new_key(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "_KEYS_AGAIN_AFTER_S", 0)
    one = provider(issuer)
    for _ in range(3):
        one.check(issuer.sign(claims(issuer)), NOW, audience=CLIENT, nonce=NONCE)
    assert issuer.asked.count("/jwks") == 1
    issuer.rotate()
    assert one.check(issuer.sign(claims(issuer)), NOW, audience=CLIENT, nonce=NONCE).subject == "okafor"
    assert issuer.asked.count("/jwks") == 2
    assert issuer.asked.count("/.well-known/openid-configuration") == 1


def test_made_up_key_ids_do_not_become_requests_to_the_provider(issuer: Issuer) -> None:
    one = provider(issuer)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            one.check(issuer.sign(claims(issuer), key=new_key()), NOW, audience=CLIENT, nonce=NONCE)
    assert issuer.asked.count("/jwks") == 1


@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_an_address_that_the_provider_does_not_vouch_for_is_not_used(issuer: Issuer, verified: object) -> None:
    assert check(issuer, issuer.sign(claims(issuer, email_verified=verified))).email is None


def test_an_address_that_only_userinfo_holds_is_used(issuer: Issuer) -> None:
    issuer.userinfo = {"sub": "okafor", "email": "okafor@x.org", "email_verified": True}
    token = issuer.sign(claims(issuer, email=None, email_verified=None))
    assert check(issuer, token, access_token="access").email == "okafor@x.org"
    assert check(issuer, token).email is None


def test_userinfo_about_somebody_else_is_refused(issuer: Issuer) -> None:
    issuer.userinfo = {"sub": "haddad", "email": "haddad@x.org", "email_verified": True}
    with pytest.raises(Unauthenticated, match="somebody else"):
        check(issuer, issuer.sign(claims(issuer, email=None)), access_token="access")


def test_an_access_token_that_the_provider_does_not_know_is_refused(issuer: Issuer) -> None:
    issuer.userinfo = {"sub": "okafor", "email": "okafor@x.org", "email_verified": True}
    with pytest.raises(Unauthenticated):
        check(issuer, issuer.sign(claims(issuer, email=None)), access_token="stolen")


def test_an_access_token_that_the_id_token_was_not_issued_with_is_refused(issuer: Issuer) -> None:
    with pytest.raises(Unauthenticated, match="at_hash"):
        check(issuer, issuer.sign(claims(issuer, at_hash="AAAAAAAAAAAAAAAAAAAAAA")), access_token="access")


def test_departing_asks_for_a_code_with_pkce_state_and_nonce_never_the_same_twice(issuer: Issuer) -> None:
    one = provider(issuer)
    departures = [one.depart(), one.depart()]
    for departure in departures:
        asked = dict(parse_qsl(urlsplit(departure.url).query))
        assert departure.url.startswith(f"{issuer.url}/authorize?")
        assert asked["client_id"] == CLIENT
        assert asked["redirect_uri"] == CALLBACK
        assert asked["code_challenge_method"] == "S256"
        assert departure.code_verifier not in departure.url
        assert (asked["state"], asked["nonce"]) == (departure.state, departure.nonce)
    first, second = departures
    assert {first.state, first.nonce, first.code_verifier}.isdisjoint(
        {second.state, second.nonce, second.code_verifier}
    )


def test_the_code_is_exchanged_with_the_verifier_that_belongs_to_it(issuer: Issuer) -> None:
    one = provider(issuer)
    departure = one.depart()
    back = issuer.authorize(departure.url, **claims(issuer, nonce=None))
    code = parse_qs(urlsplit(back).query)["code"][0]
    assert one.arrive(code, departure.code_verifier, departure.nonce, NOW).subject == "okafor"


@pytest.mark.parametrize("part", ["code", "verifier", "nonce"])
def test_a_code_with_another_verifier_or_nonce_is_refused(issuer: Issuer, part: str) -> None:
    one = provider(issuer)
    departure = one.depart()
    back = issuer.authorize(departure.url, **claims(issuer, nonce=None))
    given = {
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "verifier": departure.code_verifier,
        "nonce": departure.nonce,
    } | {part: "another"}
    with pytest.raises(Unauthenticated):
        one.arrive(given["code"], given["verifier"], given["nonce"], NOW)


def test_the_client_secret_goes_to_the_token_endpoint_and_nowhere_else(issuer: Issuer) -> None:
    settings = Oidc.model_validate({"issuer": issuer.url, "client_id": CLIENT, "client_secret": "s3cret"})
    departure = oidc.Provider(settings, redirect_uri=CALLBACK).depart()
    assert "s3cret" not in departure.url
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "http://evil.example/jwks"},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/passwd"},
    ],
    ids=str,
)
def test_metadata_that_leads_elsewhere_is_not_followed(issuer: Issuer, wrong: dict[str, Any]) -> None:
    issuer.metadata.update(wrong)
    with pytest.raises(Unavailable):
        check(issuer, issuer.sign(claims(issuer)))


@pytest.mark.parametrize("address", ["", "http://evil.example", "ftp://127.0.0.1", "127.0.0.1"])
def test_an_issuer_without_tls_is_not_asked(address: str) -> None:
    with pytest.raises(Unavailable):
        oidc.Provider(Oidc(issuer=address, client_id=CLIENT), redirect_uri=CALLBACK).depart()


def test_a_provider_that_is_gone_is_unavailable_and_comes_back(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "_DOWN_FOR_S", 0)
    one = oidc.Provider(Oidc(issuer="http://127.0.0.1:9", client_id=CLIENT), redirect_uri=CALLBACK)
    with pytest.raises(Unavailable, match="does not answer"):
        one.depart()
    one.settings = Oidc(issuer=issuer.url, client_id=CLIENT)
    assert one.depart().url.startswith(issuer.url)


def test_a_silent_provider_holds_up_one_sign_in_and_not_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "_TIMEOUT_S", (0.2, 0.2))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        one = oidc.Provider(Oidc(issuer=address, client_id=CLIENT), redirect_uri=CALLBACK)
        with ThreadPoolExecutor(8) as threads:
            departures = [threads.submit(one.depart) for _ in range(8)]
        assert {type(departure.exception()) for departure in departures} == {Unavailable}
        silent.accept()[0].close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody else called
            silent.accept()


def test_the_command_line_is_told_where_to_run_the_device_flow(issuer: Issuer) -> None:
    endpoints = provider(issuer).device_endpoints()
    assert endpoints.device_authorization_endpoint == f"{issuer.url}/device"
    assert endpoints.client_id == CLIENT
    own = Oidc(issuer=issuer.url, client_id=CLIENT, device_client_id="governance-cli")
    assert oidc.Provider(own, redirect_uri=CALLBACK).device_endpoints().client_id == "governance-cli"
