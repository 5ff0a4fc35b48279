"""An installation that is well, on SQLite, for the doctor to look at and for tests to break."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from fastapi import FastAPI, Response
from sqlalchemy import Engine

from governance.audit.keys import ensure_key
from governance.configuration.apply import Applier, apply
from governance.db.migrate import upgrade
from governance.db.session import make_engine, transaction
from governance.quota.tables import Scope
from governance.settings import Database
from tests.cli.conftest import Shell
from tests.configuration.manifests import example
from tests.http.site import listening
from tests.parts import smtp
from tests.parts.authority import authority
from webhooks.kubernetes.certificates import issue
from webhooks.kubernetes.install import Installation as Registration
from webhooks.kubernetes.install import manifests

CLUSTER = "imaging-onprem-1"
OTHER = "burst-cloud-1"
Json = dict[str, Any]


@dataclass(slots=True)
class ApiServer:
    """As much of an API server as the doctor asks: the registration, as the API server gives it back."""

    registration: Json
    status: int = 200

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/governance")
        def read() -> Response:
            return Response(json.dumps(self.registration), status_code=self.status, media_type="application/json")

        return app

    @property
    def webhook(self) -> Json:
        found: Json = self.registration["webhooks"][0]
        return found


@dataclass(slots=True)
class Provider:
    """An identity provider's discovery document."""

    metadata: Json

    def app(self) -> FastAPI:
        app = FastAPI()
        app.get("/.well-known/openid-configuration")(lambda: self.metadata)
        return app


@dataclass(slots=True)
class Installation:
    """Its settings by environment variable, without the prefix, and what stands around it."""

    folder: Path
    settings: dict[str, str]
    engine: Engine
    api_server: ApiServer
    provider: Provider

    def doctor(self, shell: Shell) -> dict[str, Json]:
        """Run the doctor; its checks by name. The exit code must say whether something is wrong."""
        ended = shell.run("doctor", "--output", "json", **self.settings)
        report = json.loads(ended.out)
        assert ended.code == (3 if report["wrong"] else 0), ended.err
        return {one["name"]: one for one in report["checks"]}

    def write(self, *rows: Any) -> None:  # noqa: ANN401  (rows of any table)
        with transaction(self.engine) as session:
            for row in rows:
                session.merge(row)

    def on_cluster(self, name: str, change: Callable[[Scope], None]) -> None:
        with transaction(self.engine) as session:
            row = session.get_one(Scope, name)
            change(row)
            session.add(row)


def followed(row: Scope) -> None:
    """As a worker leaves it."""
    now = datetime.now(UTC)
    row.mode, row.writer, row.relisted_at = "enforce", "worker-1/7", now
    row.writer_until = now + timedelta(minutes=10)


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    """Everything that an installation has, each part well."""
    database = Database(url=f"sqlite:///{folder}/governance.db")
    upgrade(database)
    certificates = issue(folder, ["127.0.0.1", "governance.example"], datetime.now(UTC))
    ensure_key(folder / "audit.pem")
    (folder / "heads").mkdir()
    registration = manifests(Registration(CLUSTER, "https://127.0.0.1:8443", certificates.authority.read_bytes()))[-1]
    registration["webhooks"][0]["objectSelector"] = {}  # as the API server completes it
    api_server, provider = ApiServer(registration), Provider({})
    with ExitStack() as stack:
        engine = make_engine(database)
        stack.callback(engine.dispose)
        apply(engine, example(), Applier(None, "test"), datetime.now(UTC))
        issuer = stack.enter_context(listening(provider.app()))
        names = ("authorization_endpoint", "token_endpoint", "device_authorization_endpoint", "jwks_uri")
        provider.metadata = {"issuer": issuer, **{name: f"{issuer}/{name}" for name in names}}
        cluster = stack.enter_context(listening(api_server.app()))
        mail = stack.enter_context(smtp.start())
        (folder / "kubeconfig").write_text(_kubeconfig(cluster))
        settings = {
            "DATABASE__URL": database.url,
            "WEBHOOK__CERTIFICATE": str(certificates.certificate),
            "WEBHOOK__KEY": str(certificates.key),
            "WEBHOOK__CLIENT_CA_FILE": str(authority(folder).file),
            "WEB__CERTIFICATE": str(certificates.certificate),
            "WEB__KEY": str(certificates.key),
            "WEB__PUBLIC_URL": "https://governance.example",
            "OIDC__ISSUER": issuer,
            "OIDC__CLIENT_ID": "governance",
            "MAIL__HOST": "127.0.0.1",
            "MAIL__PORT": str(mail.port),
            "AUDIT__SIGNING_KEY": str(folder / "audit.pem"),
            "AUDIT__SHIP_TO": str(folder / "heads"),
            "CLUSTERS": json.dumps({CLUSTER: str(folder / "kubeconfig")}),
        }
        made = Installation(folder, settings, engine, api_server, provider)
        made.on_cluster(CLUSTER, followed)
        made.on_cluster(OTHER, followed)
        engine.dispose()  # so that all is in the one file
        yield made


@contextmanager
def copied(well: Installation, folder: Path) -> Iterator[Installation]:
    """The same installation with a database of its own, and put back afterwards as it was."""
    shutil.copy(well.folder / "governance.db", folder / "governance.db")
    database = Database(url=f"sqlite:///{folder}/governance.db")
    engine = make_engine(database)
    registration, metadata = deepcopy(well.api_server.registration), dict(well.provider.metadata)
    yield Installation(folder, {**well.settings, "DATABASE__URL": database.url}, engine, well.api_server, well.provider)
    engine.dispose()
    well.api_server.registration, well.api_server.status = registration, 200
    well.provider.metadata = metadata


def _kubeconfig(server: str) -> str:
    one = {"name": "one"}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "one",
            "clusters": [{**one, "cluster": {"server": server}}],
            "users": [{**one, "user": {}}],
            "contexts": [{**one, "context": {"cluster": "one", "user": "one"}}],
        }
    )
