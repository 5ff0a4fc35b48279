"""A certified OpenID provider: code with PKCE for the pages, device flow for the command line."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.parts.process import Process, free_port, running
from tools import parts


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in by typing `sub`, with any password."""

    sub: str
    email: str
    name: str
    groups: Sequence[str] = ()


ACCOUNTS = (
    Account("okafor", "ngozi.okafor@hospital.example", "Ngozi Okafor", ("oncology",)),
    Account("lindqvist", "maja.lindqvist@hospital.example", "Maja Lindqvist", ("platform",)),
)


CLIENT_ID = "governance"
CLIENT_SECRET = "governance-test-secret"
DEVICE_CLIENT_ID = "governance-cli"


@dataclass(frozen=True, slots=True)
class Oidc:
    """A provider that runs, and the two clients that it knows."""

    issuer: str
    process: Process
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    device_client_id: str = DEVICE_CLIENT_ID


@contextmanager
def start(folder: Path, redirect_uris: Sequence[str], accounts: Sequence[Account] = ACCOUNTS) -> Iterator[Oidc]:
    """Run the provider, logging into `folder`; `redirect_uris` are where the pages' client may send people back to."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    config = folder / "oidc.json"
    config.write_text(json.dumps({"clients": _clients(redirect_uris), "accounts": [asdict(each) for each in accounts]}))
    command: list[str | Path] = ["node", parts.oidc() / "provider.mjs", str(port), config]
    log = folder / "oidc.log"
    with running("oidc", command, folder, lambda: f"ready {issuer}" in log.read_text()) as process:
        yield Oidc(issuer, process)


def _clients(redirect_uris: Sequence[str]) -> list[dict[str, object]]:
    """Client metadata as in OpenID Connect Dynamic Client Registration 1.0, section 2."""
    return [
        {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": list(redirect_uris),
            "grant_types": ["authorization_code", "refresh_token"],
        },
        {
            "client_id": DEVICE_CLIENT_ID,
            "token_endpoint_auth_method": "none",
            "redirect_uris": [],
            "response_types": [],
            "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
        },
    ]
