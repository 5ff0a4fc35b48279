"""The identity provider: discovery, the authorization code flow with PKCE, and the checking of ID tokens.

OpenID Connect Core 1.0 and Discovery 1.0, by way of Authlib. Nothing is fetched before the first sign-in, so that a
provider that is down stops nobody who is signed in.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from governance.errors import Unauthenticated, Unavailable
from governance.settings import Oidc

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")  # signatures by the provider's private key: no "none", no HMAC
_TIMEOUT_S = (3.0, 5.0)  # to connect, to read
_LEEWAY_S = 60
_METADATA_LASTS_S = 3600
_KEYS_AGAIN_AFTER_S = 30
_DOWN_FOR_S = 5
_TOKEN_CHARACTERS_MAX = 16_384
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send the browser, and what to remember until it is back."""

    url: str
    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider vouches for. `email` is None unless the provider says that it verified it."""

    subject: str
    email: str | None
    issued_at_s: int


@dataclass(frozen=True, slots=True)
class DeviceEndpoints:
    """What a command line needs for the device flow (RFC 8628) with the provider."""

    issuer: str
    device_authorization_endpoint: str
    token_endpoint: str
    client_id: str
    scope: str


class Provider:
    """One identity provider, with its metadata and keys remembered.

    Args:
        settings: issuer, client and scopes.
        redirect_uri: our address to which the provider sends the browser back.
    """

    def __init__(self, settings: Oidc, *, redirect_uri: str) -> None:
        self.settings = settings
        self.redirect_uri = redirect_uri
        self._lock = threading.Lock()
        self._metadata: Mapping[str, Any] = {}
        self._metadata_until_s = 0.0
        self._keys: KeySet | None = None
        self._keys_since_s = 0.0
        self._down_until_s = 0.0

    def depart(self) -> Departure:
        """Start a sign-in. Raises Unavailable."""
        endpoint = self._endpoint("authorization_endpoint")
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        with self._client() as client:
            url, state = client.create_authorization_url(
                endpoint, state=secrets.token_urlsafe(32), code_verifier=verifier, nonce=nonce
            )
        return Departure(url, state, nonce, verifier)

    def arrive(self, code: str, code_verifier: str, nonce: str, now: datetime) -> Identity:
        """Exchange the code that the browser brought back, and check the ID token that comes for it.

        Raises:
            Unauthenticated: the provider refuses the code, or its ID token does not hold.
            Unavailable: the provider does not answer.
        """
        endpoint = self._endpoint("token_endpoint")
        try:
            with self._client() as client:
                token = client.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=code_verifier,
                    redirect_uri=self.redirect_uri,
                    timeout=_TIMEOUT_S,
                )
        except OAuthError as error:
            raise Unauthenticated(
                f"The identity provider refused the sign-in ({error.error}).", remedy="Sign in again."
            ) from error
        except (requests.RequestException, ValueError) as error:
            raise self._unavailable() from error
        return self.check(
            str(token.get("id_token", "")),
            now,
            audience=self.settings.client_id,
            nonce=nonce,
            access_token=token.get("access_token", ""),
        )

    def device_endpoints(self) -> DeviceEndpoints:
        """Where a command line runs the device flow. Raises Unavailable."""
        return DeviceEndpoints(
            issuer=self.settings.issuer,
            device_authorization_endpoint=self._endpoint("device_authorization_endpoint"),
            token_endpoint=self._endpoint("token_endpoint"),
            client_id=self.device_client_id,
            scope=self.settings.scopes,
        )

    @property
    def device_client_id(self) -> str:
        """The public client of the command line, which can keep no secret; else the one client that there is."""
        return self.settings.device_client_id or self.settings.client_id

    def check(
        self, id_token: str, now: datetime, *, audience: str, nonce: str | None, access_token: str = ""
    ) -> Identity:
        """Check an ID token as OpenID Connect Core 1.0, section 3.1.3.7, says.

        Args:
            id_token: as the provider signed it.
            now: the current time; a minute of leeway is given.
            audience: the client that it must have been issued to.
            nonce: what was sent with the request; None where the flow has none (device code).
            access_token: if given, the token's `at_hash` must fit it, and it is used to ask for the e-mail address
                where the ID token holds none.

        Raises:
            Unauthenticated: signature, issuer, audience, time or nonce do not hold.
            Unavailable: the provider's keys cannot be fetched.
        """
        if not id_token or len(id_token) > _TOKEN_CHARACTERS_MAX:
            raise _refused("it is missing or too long")
        try:
            token = self._verified(id_token)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self.settings.issuer},
                    "aud": {"essential": True, "value": audience},
                    "sub": {"essential": True},
                },
                params={"nonce": nonce, "client_id": audience, "access_token": access_token or None},
            )
            claims.validate(now=int(now.timestamp()), leeway=_LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _refused(str(error)) from error
        return Identity(
            subject=claims["sub"],
            email=_verified_email(claims) or self._email_of(claims["sub"], access_token),
            issued_at_s=int(claims["iat"]),
        )

    def _email_of(self, subject: str, access_token: str) -> str | None:
        """The address from the UserInfo endpoint: many providers put it only there (Core 1.0, section 5.4)."""
        if not access_token or "userinfo_endpoint" not in self._discovered():
            return None
        found = self._get(self._endpoint("userinfo_endpoint"), bearer=access_token)
        if found.get("sub") != subject:  # section 5.3.4: answers that are about somebody else must not be used
            raise _refused("the provider's UserInfo is about somebody else")
        return _verified_email(found)

    def _verified(self, id_token: str) -> jwt.Token:
        """The token if one of the provider's keys signed it; keys are fetched again for a key id not seen yet."""
        keys = self._key_set()
        try:
            return jwt.decode(id_token, keys, algorithms=list(ALGORITHMS))
        except InvalidKeyIdError:
            return jwt.decode(id_token, self._key_set(instead_of=keys), algorithms=list(ALGORITHMS))

    def _key_set(self, *, instead_of: KeySet | None = None) -> KeySet:
        address = self._endpoint("jwks_uri")
        with self._lock:
            known = self._keys
            asked_lately = time.monotonic() - self._keys_since_s < _KEYS_AGAIN_AFTER_S
            if known is not None and (known is not instead_of or asked_lately):
                return known  # a stranger's made-up key ids must not turn into requests to the provider
            document = self._get_once(address)
            try:
                self._keys = KeySet.import_key_set(document)
            except (JoseError, KeyError, TypeError, ValueError) as error:
                raise self._unavailable() from error
            self._keys_since_s = time.monotonic()
            return self._keys

    def _endpoint(self, name: str) -> str:
        address = self._discovered().get(name)
        if not isinstance(address, str) or not _is_safe(address):
            raise Unavailable(
                f"The identity provider names no usable {name}.", field="oidc.issuer", remedy="Run: governance doctor."
            )
        return address

    def _discovered(self) -> Mapping[str, Any]:
        """The provider's metadata (Discovery 1.0, section 4), fetched once an hour."""
        with self._lock:
            if time.monotonic() < self._metadata_until_s:
                return self._metadata
            issuer = self.settings.issuer
            if not _is_safe(issuer):
                raise Unavailable("No identity provider is set up, or it is not on https.", field="oidc.issuer")
            found: Mapping[str, Any] = self._get_once(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:  # section 4.3: must be identical
                raise Unavailable(
                    "The identity provider calls itself by another name.",
                    field="oidc.issuer",
                    remedy=f"Set it to exactly what {issuer} answers as issuer.",
                )
            self._metadata, self._metadata_until_s = found, time.monotonic() + _METADATA_LASTS_S
            return found

    def _get_once(self, address: str) -> Any:  # noqa: ANN401  (a JSON document)
        """Under the lock: while the provider is silent one request waits for it, and those behind it fail at once,
        so that sign-ins never hold up every thread of the service."""
        if time.monotonic() < self._down_until_s:
            raise self._unavailable()
        try:
            return self._get(address)
        except Unavailable:
            self._down_until_s = time.monotonic() + _DOWN_FOR_S
            raise

    def _get(self, address: str, *, bearer: str = "") -> Any:  # noqa: ANN401  (a JSON document)
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        try:
            response = requests.get(address, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False)
            if bearer and response.status_code == requests.codes.unauthorized:
                raise _refused("the provider does not take the access token that came with it")
            response.raise_for_status()
            found = response.json()
        except (requests.RequestException, ValueError) as error:
            raise self._unavailable() from error
        if response.status_code != requests.codes.ok or not isinstance(found, dict):
            raise self._unavailable()
        return found

    def _client(self) -> OAuth2Session:
        secret = self.settings.client_secret
        return OAuth2Session(
            self.settings.client_id,
            secret.get_secret_value() if secret else None,
            scope=self.settings.scopes,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            f"The identity provider {self.settings.issuer} does not answer as it should.",
            remedy="Try again; if it stays, run: governance doctor.",
        )


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"The identity provider's ID token does not hold: {why}.", remedy="Sign in again.")


def _verified_email(claims: Mapping[str, Any]) -> str | None:
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified") is True else None


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
