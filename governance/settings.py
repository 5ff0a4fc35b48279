"""Settings, grouped, by environment (`GOVERNANCE_DATABASE__URL=...`) and by a TOML file (`GOVERNANCE_SETTINGS_FILE`).

The environment beats the file. Units are in the names. Nothing is read at import: `load()` reads once, at start.
The text under each setting is what docs/settings.md says of it (`python -m tools.settings_page` writes that page).
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from governance.errors import BadInput

_FILE = "GOVERNANCE_SETTINGS_FILE"


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(_Group):
    """Where everything is kept. PostgreSQL for several processes; SQLite for one."""

    url: str = "sqlite:///governance.db"
    """`postgresql+psycopg://USER:PASSWORD@HOST/NAME`, or `sqlite:///FILE`."""
    pool_size: int = 16
    """Connections of one process to PostgreSQL for admissions, at most, and as many again for everything else."""
    statement_timeout_ms: int = 2000
    """PostgreSQL gives up a statement, and waiting for a lock, after this long."""
    connect_timeout_s: int = 2
    """How long connecting to PostgreSQL, or waiting for a free connection, may take."""

    @field_validator("url")
    @classmethod
    def _is_one_of_ours(cls, url: str) -> str:
        try:
            name = make_url(url).drivername
        except (ArgumentError, ValueError):
            name = ""
        if name not in {"postgresql", "postgresql+psycopg", "sqlite"}:
            said = "Only postgresql+psycopg://USER:PASSWORD@HOST/NAME and sqlite:///FILE are used"
            raise PydanticCustomError("database_url", said)  # without the address: a password may stand in it
        return url


class Policy(_Group):
    """Which engine evaluates the Rego policies."""

    engine: Literal["embedded", "opa", "wasm"] = "embedded"
    """`embedded` and `wasm` run in this process, `wasm` as OPA compiled them; `opa` asks an OPA over its REST API."""
    directory: Path | None = None
    """A folder of policies instead of those that come with this version."""
    bundle: Path | None = None
    """What `governance policy build` made of these policies, for `wasm`."""
    opa_url: str = "http://127.0.0.1:8181"
    """Where that OPA listens."""
    opa_token: SecretStr | None = None
    """Bearer token for that OPA."""
    opa_ca: Path | None = None
    """PEM file of the authorities that vouch for that OPA."""
    timeout_ms: int = 1000
    """One evaluation may take this long; silence denies."""


class Webhook(_Group):
    """The TLS listener that clusters call."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8443, ge=1, le=65535)
    """Port to listen on."""
    certificate: Path | None = None
    """PEM file of the certificate, with its chain."""
    key: Path | None = None
    """PEM file of its private key."""
    client_ca_file: Path | None = None
    """PEM file of authorities; only API servers with a client certificate of theirs are answered. See install.md."""
    client_names: tuple[str, ...] = ()
    """Common names or DNS names, one of which that certificate must bear; empty: any that the authorities vouch for."""
    body_bytes_max: int = 4 * 1024 * 1024
    """A larger review is denied unread."""


class Web(_Group):
    """Pages and API, for people and programs."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8080, ge=1, le=65535)
    """Port to listen on."""
    public_url: str = "http://127.0.0.1:8080"
    """What people open; it stands in links, mails and cookies. Must be `https://` in production."""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1",)
    """Addresses or networks of the proxies in front of this listener; from them `X-Forwarded-For` says who calls."""
    certificate: Path | None = None
    """PEM file of the certificate; none where TLS ends in front of this service."""
    key: Path | None = None
    """PEM file of its private key."""
    session_hours: int = 12
    """How long somebody stays signed in, at most."""
    session_idle_minutes: int = 30
    """A browser in which nobody has done anything for this long is signed out."""
    body_bytes_max: int = 1024 * 1024
    """A larger request is refused."""
    sign_in_requests_per_minute: int = Field(default=120, ge=1)
    """From one address, in one process; a sign-in takes two. More where many people share an address."""
    wrong_tokens_per_minute: int = Field(default=60, ge=1)
    """From one address, in one process; those beyond are answered 429. A right token always passes."""
    rate_addresses_max: int = Field(default=10_000, ge=1)
    """Of so many addresses these two are remembered; beyond, the one that asked longest ago is forgotten."""


class Oidc(_Group):
    """The identity provider. Pages use the authorization code flow with PKCE, the command line a device code."""

    issuer: str = ""
    """Exactly what the provider calls itself in its discovery document. Needed in production."""
    client_id: str = ""
    """The pages' client. Needed in production."""
    client_secret: SecretStr | None = None
    """That client proves itself with it."""
    device_client_id: str = ""
    """The command line's own public client; empty: `client_id`, which must then have no secret."""
    scopes: str = "openid email profile groups"
    """What is asked of the provider."""


class Mail(_Group):
    """Outgoing mail, by SMTP."""

    host: str = ""
    """The mail server; empty turns mail off."""
    port: int = 25
    """Its port."""
    sender: str = "governance@localhost"
    """From whom mails come."""
    starttls: bool = False
    """Whether to insist on TLS."""
    username: str = ""
    """Whom to sign in as; empty: nobody."""
    password: SecretStr | None = None
    """The password to sign in with."""


class Outbound(_Group):
    """Signed webhooks to other systems."""

    url: str = ""
    """Where messages are posted; empty turns them off."""
    secret: SecretStr | None = None
    """Each message is signed with it (HMAC-SHA256)."""


class Cloud(_Group):
    """Events of AWS and Azure; see clouds.md."""

    aws_queues: tuple[str, ...] = ()
    """URLs of SQS queues from which the worker takes events; credentials as boto3 finds them."""
    aws_machines: Path | None = None
    """A file of instance types that `governance cloud machine-types aws` wrote, instead of the one of this version."""
    event_days_max: int = Field(default=7, ge=1, le=30)
    """An older event is refused, for it cannot be told from a replay; what exists is found by the inventory."""
    wait_hours_max: int = Field(default=24, ge=1)
    """How long an event may wait for what it needs: an account that is described, a launch that it ends."""


class Checkpoints(_Group):
    """Signed statements about images; see checkpoints.md."""

    statement_hours_max: int = Field(default=24, ge=1)
    """An older statement is not recorded: what was found then may not be so now."""


class Billing(_Group):
    """Bills, and what is made of them."""

    folder: Path = Path("billing-data")
    """Where cost lines are kept, as files that never change. The service and its workers share it."""
    upload_bytes_max: int = 8 * 1024**3
    """A larger file is refused."""


class Audit(_Group):
    """How the audit log is sealed; see audit.md."""

    signing_key: Path | None = None
    """PEM file of an Ed25519 private key; without one nothing is sealed."""
    ship_to: Path | None = None
    """A folder, off this host, to which signed heads are written."""
    seal_interval_ms: int = 1000
    """How often the worker seals."""


class Operations(_Group):
    """What platform engineers may do with a running installation; see operations.md."""

    warn_hours_max: int = Field(default=24, ge=1)
    """For how long a cluster may be switched to warn, at most."""


class Settings(BaseSettings):
    """Everything that an installation may set. `environment=demo` allows demo sign-in and plain HTTP on loopback."""

    model_config = SettingsConfigDict(env_prefix="GOVERNANCE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    environment: Literal["production", "demo"] = "production"
    """`demo` lets anybody sign in as anybody, on plain HTTP, and serves this machine only."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """From which level on the log tells."""
    database: Database = Database()
    policy: Policy = Policy()
    webhook: Webhook = Webhook()
    web: Web = Web()
    oidc: Oidc = Oidc()
    mail: Mail = Mail()
    outbound: Outbound = Outbound()
    cloud: Cloud = Cloud()
    checkpoints: Checkpoints = Checkpoints()
    billing: Billing = Billing()
    audit: Audit = Audit()
    operations: Operations = Operations()
    clusters: dict[str, str] = {}
    """The clusters to follow: name (as its Cluster manifest says) to a kubeconfig file, or `in-cluster`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the signature is pydantic's)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get(_FILE)
        toml = (TomlConfigSettingsSource(settings_cls, toml_file=file),) if file else ()
        return (init_settings, env_settings, *toml)


def load(**overrides: object) -> Settings:
    """Read the settings once. Raises BadInput that names the first wrong setting."""
    file = os.environ.get(_FILE)
    if file and not Path(file).is_file():
        raise BadInput(f"{file} is not a file.", field=_FILE, remedy="Name an existing TOML file.")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(
            f"{file} cannot be read as TOML: {error}.", field=_FILE, remedy="See docs/settings.md."
        ) from None
    except SettingsError as error:
        named = re.search('field "([^"]+)"', str(error))
        raise BadInput(
            "It is not JSON.", field=named[1] if named else None, remedy="See docs/settings.md for how it is written."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            first["msg"] + ".", field=".".join(str(part) for part in first["loc"]), remedy="See docs/settings.md."
        ) from None
