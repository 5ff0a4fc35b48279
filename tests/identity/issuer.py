"""An identity provider on loopback, small enough to make each mistake that a real one must not make.

The certified provider of tests/parts shows that sign-in works; this one shows that what is wrong is refused.
"""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

CLIENT = "governance"


@dataclass
class Issuer:
    """What it signs with, what it says of whom, and what it was asked."""

    url: str
    key: RSAKey | ECKey
    keys: list[RSAKey | ECKey | OctKey]
    claims: dict[str, Any] = field(default_factory=dict)  # of the next ID token
    userinfo: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)  # what it says differently
    challenges: dict[str, str] = field(default_factory=dict)  # code -> PKCE challenge
    asked: list[str] = field(default_factory=list)

    def sign(self, claims: Mapping[str, Any], *, key: RSAKey | ECKey | None = None) -> str:
        """An ID token with exactly these claims."""
        by = key or self.key
        algorithm = "RS256" if isinstance(by, RSAKey) else "ES256"
        return jwt.encode({"alg": algorithm, "kid": by.kid}, dict(claims), by, algorithms=[algorithm])

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish it."""
        self.key = new_key()
        self.keys = [self.key]

    def authorize(self, url: str, **claims: Any) -> str:  # noqa: ANN401  (claims are JSON)
        """What a person does in a browser at the provider: answers where the browser is sent back to."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.challenges)}"
        self.challenges[code] = asked["code_challenge"]
        self.claims = claims | {"nonce": asked["nonce"]}
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"


def new_key() -> RSAKey:
    """A key pair with a key id."""
    return RSAKey.generate_key(2048, auto_kid=True)


@contextmanager
def running() -> Iterator[Issuer]:
    """An issuer that answers until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    key = new_key()
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}", key, [key])
    server.issuer = issuer  # type: ignore[attr-defined]  # how http.server hands things to its handlers
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    @property
    def issuer(self) -> Issuer:
        issuer: Issuer = self.server.issuer  # type: ignore[attr-defined]
        return issuer

    def do_GET(self) -> None:
        self.issuer.asked.append(self.path)
        if self.path == "/.well-known/openid-configuration":
            base = self.issuer.url
            found: dict[str, Any] = {
                "issuer": base,
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "jwks_uri": f"{base}/jwks",
                "device_authorization_endpoint": f"{base}/device",
            }
            if self.issuer.userinfo is not None:
                found["userinfo_endpoint"] = f"{base}/userinfo"
            self._answer(200, found | self.issuer.metadata)
        elif self.path == "/jwks":
            self._answer(200, dict(KeySet(list(self.issuer.keys)).as_dict()))
        elif self.path == "/userinfo" and self.headers["Authorization"] == "Bearer access":
            self._answer(200, self.issuer.userinfo or {})
        else:
            self._answer(401, {"error": "invalid_token"})

    def do_POST(self) -> None:
        self.issuer.asked.append(self.path)
        length = int(self.headers["Content-Length"])
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        if self.issuer.challenges.pop(form.get("code", ""), None) != challenge:
            self._answer(400, {"error": "invalid_grant"})
            return
        id_token = self.issuer.sign(self.issuer.claims)
        self._answer(200, {"access_token": "access", "token_type": "Bearer", "id_token": id_token})

    def _answer(self, status: int, document: Mapping[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Nothing: what it was asked is in `asked`."""
