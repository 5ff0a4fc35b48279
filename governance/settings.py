"""Settings, grouped, by environment (`GOVERNANCE_DATABASE__URL=...`) and by a TOML file (`GOVERNANCE_SETTINGS_FILE`).

The environment beats the file. Units are in the names. Nothing is read at import: `load()` reads once, at start.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from governance.errors import BadInput


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(_Group):
    """`url`: `sqlite:///FILE` or `postgresql+psycopg://...`."""

    url: str = "sqlite:///governance.db"
    pool_size: int = 16
    statement_timeout_ms: int = 2000
    connect_timeout_s: int = 2


class Policy(_Group):
    """`engine`: embedded (in process) or opa (`opa_url` names its REST API; `opa_ca` is a file of its authorities)."""

    engine: Literal["embedded", "opa"] = "embedded"
    directory: Path | None = None
    opa_url: str = "http://127.0.0.1:8181"
    opa_token: SecretStr | None = None
    opa_ca: Path | None = None
    timeout_ms: int = 1000


class Webhook(_Group):
    """The TLS listener that clusters call."""

    host: str = "127.0.0.1"
    port: int = 8443
    certificate: Path | None = None
    key: Path | None = None
    body_bytes_max: int = 4 * 1024 * 1024
    deadline_ms: int = 4000


class Web(_Group):
    """Pages and API. `public_url` is what people open: it stands in links, mails and cookies."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = "http://127.0.0.1:8080"
    certificate: Path | None = None
    key: Path | None = None
    session_hours: int = 12
    body_bytes_max: int = 1024 * 1024


class Oidc(_Group):
    """The identity provider; people sign in with the authorization code flow and PKCE, the CLI with a device code.

    `device_client_id`: the CLI's own public client; empty: `client_id`, which must then have no secret.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret: SecretStr | None = None
    device_client_id: str = ""
    scopes: str = "openid email profile groups"


class Mail(_Group):
    """Outgoing mail. An empty host turns mail off."""

    host: str = ""
    port: int = 25
    sender: str = "governance@localhost"
    starttls: bool = False
    username: str = ""
    password: SecretStr | None = None


class Outbound(_Group):
    """Signed webhooks to other systems: each message is signed (HMAC-SHA256) with `secret`."""

    url: str = ""
    secret: SecretStr | None = None


class Audit(_Group):
    """`signing_key`: Ed25519 private key (PEM); `ship_to`: folder to which signed heads are written, off this host."""

    signing_key: Path | None = None
    ship_to: Path | None = None
    seal_interval_ms: int = 1000


class Settings(BaseSettings):
    """Everything that an installation may set. `environment=demo` allows demo sign-in and plain HTTP on loopback."""

    model_config = SettingsConfigDict(env_prefix="GOVERNANCE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    environment: Literal["production", "demo"] = "production"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    database: Database = Database()
    policy: Policy = Policy()
    webhook: Webhook = Webhook()
    web: Web = Web()
    oidc: Oidc = Oidc()
    mail: Mail = Mail()
    outbound: Outbound = Outbound()
    audit: Audit = Audit()
    clusters: dict[str, str] = {}  # name: kubeconfig file, or in-cluster

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the signature is pydantic's)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get("GOVERNANCE_SETTINGS_FILE")
        toml = (TomlConfigSettingsSource(settings_cls, toml_file=file),) if file else ()
        return (init_settings, env_settings, *toml)


def load(**overrides: object) -> Settings:
    """Read the settings once. Raises BadInput that names the first wrong setting."""
    file = os.environ.get("GOVERNANCE_SETTINGS_FILE")
    if file and not Path(file).is_file():
        raise BadInput(f"{file} is not a file.", field="GOVERNANCE_SETTINGS_FILE", remedy="Name an existing TOML file.")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            first["msg"] + ".", field=".".join(str(part) for part in first["loc"]), remedy="See docs/settings.md."
        ) from None
