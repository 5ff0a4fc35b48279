"""Commands that work on the service's own database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlmodel import select

from governance.cli import exits
from governance.db.session import make_engine, reading
from governance.http.permissions import undeclared_routes
from governance.identity.tables import ApiToken, Node, Person
from governance.settings import Database
from tests.api.conftest import new_app
from tests.cli.conftest import Shell
from tests.configuration.manifests import EXAMPLE
from tests.http.site import listening


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/local.db"


def test_migrate_says_what_it_did(shell: Shell, url: str) -> None:
    assert shell.run("migrate", DATABASE__URL=url).out == "Migrated: empty -> 0001.\n"
    assert shell.run("migrate", DATABASE__URL=url).out == "The database is at migration 0001.\n"


def test_bootstrap_needs_tables(shell: Shell, url: str) -> None:
    ended = shell.run("token", "bootstrap", "--person", "sato", DATABASE__URL=url)
    assert (ended.code, "governance migrate" in ended.err) == (exits.UNREACHABLE, True)


def test_the_first_administrator_applies_and_is_then_what_their_manifest_says(shell: Shell, url: str) -> None:
    shell.run("migrate", DATABASE__URL=url)
    lost = shell.run("token", "bootstrap", "--person", "sato", DATABASE__URL=url).out.strip()
    token = shell.run("token", "bootstrap", "--person", "sato", DATABASE__URL=url).out.strip()
    engine = make_engine(Database(url=url))
    app = new_app(engine)
    assert undeclared_routes(app) == []
    with listening(app) as server:
        assert shell.run("whoami", SERVER=server, TOKEN=lost).code == exits.NOT_ALLOWED
        applied = shell.run("apply", "-f", str(EXAMPLE), SERVER=server, TOKEN=token)
        assert applied.out.endswith("Revision 1: 53 to create.\n"), applied.err
        assert shell.run("apply", "-f", str(EXAMPLE), SERVER=server, TOKEN=token).code == 0
        who = json.loads(shell.run("whoami", "-o", "json", SERVER=server, TOKEN=token).out)
        assert (who["display_name"], who["roles"]) == ("K. Sato", ["admin"])
    again = shell.run("token", "bootstrap", "--person", "other", DATABASE__URL=url)
    assert (again.code, again.out) == (exits.CONFLICT, "")
    with reading(engine) as session:
        assert session.exec(select(Person).where(Person.name == "other")).first() is None
        placeholder = session.exec(select(Node).where(Node.name == "not-configured-yet")).one()
        assert placeholder.retired_at is not None
    engine.dispose()


def test_a_first_administrator_without_a_manifest_ends_with_the_first_apply(shell: Shell, url: str) -> None:
    shell.run("migrate", DATABASE__URL=url)
    token = shell.run("token", "bootstrap", "--person", "installer", DATABASE__URL=url).out.strip()
    engine = make_engine(Database(url=url))
    with listening(new_app(engine)) as server:
        assert shell.run("apply", "-f", str(EXAMPLE), SERVER=server, TOKEN=token).code == 0
        assert shell.run("whoami", SERVER=server, TOKEN=token).code == exits.NOT_ALLOWED
    engine.dispose()


def test_a_bootstrap_token_is_for_a_day(shell: Shell, url: str) -> None:
    shell.run("migrate", DATABASE__URL=url)
    assert shell.run("token", "bootstrap", "--person", "No Name", DATABASE__URL=url).code == exits.INVALID
    shell.run("token", "bootstrap", "--person", "sato", DATABASE__URL=url)
    engine = make_engine(Database(url=url))
    with reading(engine) as session:
        token = session.exec(select(ApiToken)).one()
    assert (token.expires_at - token.created_at).days == 1
    engine.dispose()


PRODUCTION = {
    "WEB__PUBLIC_URL": "https://governance.example",
    "OIDC__ISSUER": "https://login.example",
    "OIDC__CLIENT_ID": "governance",
}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "web.public_url"),
        (PRODUCTION, "webhook.certificate"),
        (PRODUCTION | {"OIDC__ISSUER": ""}, "oidc.issuer"),
        (PRODUCTION | {"WEBHOOK__PORT": "70000"}, "webhook.port"),
        (PRODUCTION | {"WEBHOOK__PORT": "8080"}, "web.port"),
        (PRODUCTION | {"WEBHOOK__CERTIFICATE": "/nowhere/tls.crt"}, "webhook.certificate"),
        ({"ENVIRONMENT": "demo", "WEB__HOST": "192.0.2.1"}, "web.host"),
        ({"ENVIRONMENT": "demo", "WEBHOOK__CERTIFICATE": "/nowhere/tls.crt"}, "webhook.certificate"),
    ],
)
def test_serve_refuses_in_one_line_what_it_cannot_serve_with(
    shell: Shell, url: str, settings: dict[str, str], field: str
) -> None:
    ended = shell.run("serve", DATABASE__URL=url, **settings)
    assert (ended.code, ended.out, ended.err.count("\n")) == (exits.INVALID, "", 1), ended.err
    assert f"{field}: " in ended.err
