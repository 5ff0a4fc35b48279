"""The doctor, on an installation that is well and on others that are broken in one place each."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import text
from sqlmodel import select

from governance.audit.log import event
from governance.audit.tables import AuditEvent, AuditSegment
from governance.cli import exits
from governance.cli.checks import clusters, records
from governance.db.migrate import upgrade
from governance.db.session import make_engine, transaction
from governance.db.types import new_id
from governance.identity.tables import Node
from governance.notify.tables import OutboxMessage
from governance.quota.tables import Binding, Charge, ChargeObject, Scope, Usage
from governance.settings import Database
from tests.cli.conftest import Shell
from tests.cli.installation import CLUSTER, OTHER, Installation, copied, installed
from tests.parts.authority import VALID, authority
from tests.parts.cluster import Cluster as ControlPlane
from tests.parts.process import free_port
from webhooks.kubernetes.certificates import issue
from webhooks.kubernetes.install import Installation as Registration
from webhooks.kubernetes.install import Service, manifests

NOW = datetime.now(UTC)
AGO = NOW - timedelta(hours=1)
Break = Callable[[Installation], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("installation")) as made:
        yield made


@pytest.fixture
def well(sound: Installation, tmp_path: Path) -> Iterator[Installation]:
    with copied(sound, tmp_path) as made:
        yield made


def test_an_installation_that_is_well_has_no_complaints(shell: Shell, well: Installation) -> None:
    found = well.doctor(shell)
    assert {name: one["state"] for name, one in found.items()} == dict.fromkeys(found, "ok")
    assert [*found] == [
        "settings",
        "webhook certificate",
        "webhook callers",
        "web certificate",
        "policy",
        "sign-in",
        "mail",
        "audit key",
        "database",
        "clock",
        "ledger",
        "outbox",
        "audit log",
        f"cluster {OTHER}: watch",
        f"cluster {OTHER}: mode",
        f"cluster {CLUSTER}: watch",
        f"cluster {CLUSTER}: mode",
        f"cluster {CLUSTER}: API",
        f"cluster {CLUSTER}: webhook",
    ]


def sets(**settings: str) -> Break:
    return lambda one: one.settings.update(settings)


def lacks(*names: str) -> Break:
    return lambda one: [one.settings.pop(name) for name in names]


def certified(names: list[str], at: datetime) -> Break:
    def change(one: Installation) -> None:
        made = issue(one.folder / "other", names, at)
        paths = {"CERTIFICATE": str(made.certificate), "KEY": str(made.key)}
        one.settings |= {f"{listener}__{name}": path for listener in ("WEB", "WEBHOOK") for name, path in paths.items()}

    return change


def vouched_for(at: datetime) -> Break:
    """By an authority from then on."""
    return lambda one: one.settings.update(WEBHOOK__CLIENT_CA_FILE=str(authority(one.folder / "others", at).file))


def file(setting: str, content: str, mode: int = 0o600) -> Break:
    def change(one: Installation) -> None:
        path = one.folder / "file"
        path.write_text(content)
        path.chmod(mode)
        one.settings[setting] = str(path)

    return change


def written(*rows: Callable[[], Any]) -> Break:
    return lambda one: one.write(*(row() for row in rows))


def on_cluster(change: Callable[[Scope], None]) -> Break:
    return lambda one: one.on_cluster(CLUSTER, change)


def registered(change: Callable[[dict[str, Any]], object]) -> Break:
    return lambda one: change(one.api_server.webhook)


def discovered(**metadata: str | None) -> Break:
    def change(one: Installation) -> None:
        one.provider.metadata |= metadata
        one.provider.metadata = {name: value for name, value in one.provider.metadata.items() if value is not None}

    return change


def message(attempts: int, *, again: bool, error: str = "") -> OutboxMessage:
    return OutboxMessage(
        created_at=AGO,
        channel="email",
        receiver="a@hospital.example",
        topic="change.submitted",
        subject_id="CH-1",
        attempts=attempts,
        next_attempt_at=NOW if again else None,
        last_error=error,
    )


def head() -> AuditSegment:
    return AuditSegment(
        number=1, size=1, root="r", previous="p", head="h", signature="s", key_id="k", sealed_at=AGO, shipped_at=None
    )


def excluding(*names: str) -> Break:
    return registered(lambda one: one["namespaceSelector"]["matchExpressions"][0].update(values=list(names)))


def pays_for_governance(one: Installation) -> None:
    with transaction(one.engine) as session:
        project = session.exec(select(Node).where(Node.name == "pacs")).one()
        session.merge(Binding(scope=CLUSTER, name="governance", project_id=project.id))


def spends(one: Installation) -> None:
    with transaction(one.engine) as session:
        row = session.exec(select(Usage).where(Usage.resource == "requests.cpu", Usage.depth == 0)).one()
        row.used += 5
        session.add(row)


def never_seen(one: Installation) -> None:
    charge = Charge(
        id=new_id(),
        scope=CLUSTER,
        kind="core/pods",
        native_id="ct-training/one",
        incarnation="u1",
        state="held",
        created_at=AGO,
        updated_at=AGO,
    )
    one.write(charge)
    one.write(
        ChargeObject(
            charge_id=charge.id,
            scope=CLUSTER,
            uid="u1",
            kind="core/pods",
            namespace="ct-training",
            name="one",
            deadline=AGO,
        )
    )


def follower_stops(row: Scope) -> None:
    row.writer_until = AGO


def observes(row: Scope) -> None:
    row.mode = "observe"


def warns(row: Scope) -> None:
    row.mode, row.warn_until, row.warn_by, row.warn_reason = "warn", NOW + timedelta(days=1), "M. Sato", "Moving."


def never_relisted(row: Scope) -> None:
    row.relisted_at = None


def answers(status: int) -> Break:
    def change(one: Installation) -> None:
        one.api_server.status = status

    return change


WATCH, WEBHOOK, API = (f"cluster {CLUSTER}: {name}" for name in ("watch", "webhook", "API"))
AUTHORITY = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n").decode()

BROKEN: dict[str, tuple[Break, str, str, str]] = {
    "plain http": (sets(WEB__PUBLIC_URL="http://governance.example"), "settings", "wrong", "web.public_url"),
    "a webhook out without a secret": (sets(OUTBOUND__URL="https://x.example"), "settings", "wrong", "outbound"),
    "no webhook certificate": (lacks("WEBHOOK__CERTIFICATE"), "webhook certificate", "wrong", "not set"),
    "one port for both": (sets(WEB__PORT="8443"), "settings", "wrong", "port 8443"),
    "anybody calls": (lacks("WEBHOOK__CLIENT_CA_FILE"), "webhook callers", "warning", "Whoever reaches the port"),
    "no such authority": (sets(WEBHOOK__CLIENT_CA_FILE="/nowhere"), "webhook callers", "wrong", "No such file"),
    "no authority in the file": (file("WEBHOOK__CLIENT_CA_FILE", "x"), "webhook callers", "wrong", "cannot be used"),
    "an authority that ended": (vouched_for(NOW - 2 * VALID), "webhook callers", "wrong", "not valid"),
    "an authority that ends soon": (vouched_for(NOW - VALID + timedelta(days=9)), "webhook callers", "warning", "ends"),
    "no such certificate": (sets(WEB__CERTIFICATE="/nowhere"), "web certificate", "wrong", "No such file"),
    "another key": (file("WEB__KEY", "no key"), "web certificate", "wrong", "cannot be used"),
    "another name": (certified(["other.example"], NOW), "web certificate", "wrong", "people open governance.example"),
    "ended": (certified(["governance.example"], NOW - timedelta(days=400)), "web certificate", "wrong", "not valid"),
    "not yet": (certified(["governance.example"], NOW + timedelta(days=1)), "web certificate", "wrong", "not valid"),
    "ends soon": (
        certified(["governance.example"], NOW - timedelta(days=380)),
        "web certificate",
        "warning",
        "ends in",
    ),
    "no OPA": (sets(POLICY__ENGINE="opa", POLICY__OPA_URL=f"http://127.0.0.1:{free_port()}"), "policy", "wrong", "OPA"),
    "no policies": (sets(POLICY__DIRECTORY="/nowhere"), "policy", "wrong", "policy.directory"),
    "no provider": (sets(OIDC__ISSUER=f"http://127.0.0.1:{free_port()}"), "sign-in", "wrong", "does not answer"),
    "a provider with another name": (discovered(issuer="https://other"), "sign-in", "wrong", "another name"),
    "no device code": (discovered(device_authorization_endpoint=None), "sign-in", "warning", "governance login"),
    "mail is off": (sets(MAIL__HOST=""), "mail", "warning", "Off"),
    "no mail server": (sets(MAIL__PORT=str(free_port())), "mail", "wrong", "does not answer"),
    "a mail server without sign-in": (sets(MAIL__USERNAME="us", MAIL__PASSWORD="pw"), "mail", "wrong", "answer"),
    "no audit key": (lacks("AUDIT__SIGNING_KEY"), "audit key", "wrong", "not sealed"),
    "no key in the file": (file("AUDIT__SIGNING_KEY", "no key"), "audit key", "wrong", "Ed25519"),
    "heads stay": (lacks("AUDIT__SHIP_TO"), "audit key", "warning", "stay on this host"),
    "nowhere to ship to": (sets(AUDIT__SHIP_TO="/dev/null/heads"), "audit key", "wrong", "cannot be written"),
    "no address": (sets(DATABASE__URL="hunter2"), "settings", "wrong", "database.url"),
    "no file": (sets(DATABASE__URL="sqlite:////nowhere/x.db"), "database", "wrong", "does not exist"),
    "no server": (
        sets(DATABASE__URL=f"postgresql+psycopg://us:hunter2@127.0.0.1:{free_port()}/x"),
        "database",
        "wrong",
        "does not answer",
    ),
    "a total that is no sum": (spends, "ledger", "wrong", "usage used st-elisabeth requests.cpu: 40005, not 40000"),
    "nobody delivers": (written(lambda: message(0, again=True)), "outbox", "wrong", "nobody tries"),
    "mail is refused": (written(lambda: message(4, again=True, error="refused (550)")), "outbox", "wrong", "550"),
    "mail was given up": (written(lambda: message(9, again=False, error="no user")), "outbox", "warning", "no user"),
    "nobody seals": (
        written(lambda: AuditEvent(**event("a", "b", "c", "d", at=AGO))),
        "audit log",
        "wrong",
        "1 events",
    ),
    "nobody ships": (written(head), "audit log", "wrong", "1 heads"),
    "nobody follows": (on_cluster(follower_stops), WATCH, "wrong", "Nobody follows"),
    "not relisted": (on_cluster(never_relisted), WATCH, "warning", "not charged everything"),
    "overdue": (never_seen, WATCH, "wrong", "1 objects"),
    "observes": (on_cluster(observes), f"cluster {CLUSTER}: mode", "warning", "observes"),
    "warns": (on_cluster(warns), f"cluster {CLUSTER}: mode", "warning", "UTC (M. Sato: Moving.): nothing"),
    "no credentials": (
        lambda one: one.on_cluster(OTHER, follower_stops),
        f"cluster {OTHER}: watch",
        "wrong",
        "no credentials",
    ),
    "no such kubeconfig": (sets(CLUSTERS=json.dumps({CLUSTER: "/nowhere"})), API, "wrong", f"clusters.{CLUSTER}"),
    "no manifest": (sets(CLUSTERS=json.dumps({"unheard-of": "/x"})), "cluster unheard-of", "warning", "no Cluster"),
    "may not read": (answers(403), API, "wrong", "403"),
    "not registered": (answers(404), WEBHOOK, "wrong", "not there"),
    "an outage opens the door": (
        registered(lambda one: one.update(failurePolicy="Ignore")),
        WEBHOOK,
        "wrong",
        "failurePolicy is Ignore, not Fail",
    ),
    "one kind is not asked about": (registered(lambda one: one["rules"].pop()), WEBHOOK, "wrong", "rules"),
    "one more condition": (
        registered(lambda one: one["matchConditions"].append({"name": "x", "expression": "false"})),
        WEBHOOK,
        "wrong",
        "matchConditions",
    ),
    "only some objects": (
        registered(lambda one: one.update(objectSelector={"matchLabels": {"a": "b"}})),
        WEBHOOK,
        "wrong",
        "objectSelector",
    ),
    "only some namespaces": (
        registered(lambda one: one["namespaceSelector"].update(matchLabels={"a": "b"})),
        WEBHOOK,
        "wrong",
        "namespaceSelector",
    ),
    "one more namespace": (excluding("governance", "kube-system", "mine"), WEBHOOK, "wrong", "never asks about"),
    "a namespace with an owner": (pays_for_governance, WEBHOOK, "wrong", "governance, which a project pays for"),
    "a second webhook": (
        lambda one: one.api_server.registration["webhooks"].append({}),
        WEBHOOK,
        "wrong",
        "2 webhooks",
    ),
    "another cluster's path": (
        registered(lambda one: one["clientConfig"].update(url="https://127.0.0.1:8443/kubernetes/x/admit")),
        WEBHOOK,
        "wrong",
        "path",
    ),
    "another host": (
        registered(lambda one: one["clientConfig"].update(url=f"https://other.example/kubernetes/{CLUSTER}/admit")),
        WEBHOOK,
        "wrong",
        "other.example",
    ),
    "another authority": (certified(["127.0.0.1", "governance.example"], NOW), WEBHOOK, "wrong", "local issuer"),
    "no authority": (
        registered(lambda one: one["clientConfig"].update(caBundle=AUTHORITY)),
        WEBHOOK,
        "wrong",
        "refuse",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_is_found_where_it_is(shell: Shell, well: Installation, what: str) -> None:
    change, check, state, words = BROKEN[what]
    change(well)
    found = well.doctor(shell)
    assert (found[check]["state"], words in found[check]["found"]) == (state, True), found[check]
    assert found[check]["remedy"], "it says how to mend it"
    assert "hunter2" not in json.dumps(found), "no secret is shown"


def test_a_registration_that_chose_otherwise_is_as_installed(shell: Shell, well: Installation) -> None:
    conditions = [
        one for one in well.api_server.webhook["matchConditions"] if one["name"] != "not-by-a-workload-controller"
    ]
    well.api_server.webhook.update(timeoutSeconds=10, matchConditions=conditions)
    excluding("kube-system", "platform")(well)
    found = well.doctor(shell)[WEBHOOK]
    assert found["state"] == "ok", f"{found} --pods strict, --namespace platform"


def test_settings_that_cannot_be_read_are_all_that_is_told(shell: Shell) -> None:
    ended = shell.run("doctor", "-o", "json", WEBHOOK__PORT="many")
    assert (ended.code, [one["name"] for one in json.loads(ended.out)["checks"]]) == (exits.INVALID, ["settings"])


@pytest.mark.parametrize(("mode", "state"), [(0o600, "ok"), (0o644, "warning")])
def test_a_settings_file_that_others_can_read_is_told(shell: Shell, well: Installation, mode: int, state: str) -> None:
    file("SETTINGS_FILE", 'log_level = "info"\n', mode)(well)
    assert well.doctor(shell)["settings"]["state"] == state


def test_keys_that_others_can_read_are_told(shell: Shell, well: Installation) -> None:
    for setting in ("WEBHOOK__KEY", "AUDIT__SIGNING_KEY"):
        copy = well.folder / setting
        copy.write_bytes(Path(well.settings[setting]).read_bytes())
        copy.chmod(0o644)
        well.settings[setting] = str(copy)
    found = well.doctor(shell)
    assert (found["webhook certificate"]["state"], found["audit key"]["state"]) == ("warning", "wrong")


def test_a_database_of_another_version_is_told_and_left_as_it_is(shell: Shell, well: Installation) -> None:
    with well.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert well.doctor(shell)["database"]["remedy"] == "Run: governance migrate."
    with well.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0000"


def test_a_missing_database_is_not_made(shell: Shell, well: Installation, tmp_path: Path) -> None:
    well.settings["DATABASE__URL"] = f"sqlite:///{tmp_path}/none.db"
    assert well.doctor(shell)["database"]["state"] == "wrong"
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(("apart_s", "state"), [(0, "ok"), (-10, "warning"), (10, "warning"), (90, "wrong")])
def test_clocks_that_run_apart_are_told(well: Installation, apart_s: int, state: str) -> None:
    def host() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=apart_s)

    assert records.clocks(well.engine, host).state == state


def test_for_people_each_check_is_one_line_and_the_end_says_how_many_are_wrong(
    shell: Shell, well: Installation
) -> None:
    well.settings["DATABASE__URL"] = "sqlite:////nowhere/x.db"
    ended = shell.run("doctor", **well.settings)
    lines = ended.out.splitlines()
    assert lines[-1].split()[:2] == ["wrong", "database"]
    assert lines[-1].endswith("Run: governance migrate.")
    assert ended.err == f"1 of {len(lines) - 1} checks found something wrong.\n"


@pytest.mark.real
def test_on_postgresql_the_same_is_looked_at(postgres_url: str) -> None:
    database = Database(url=postgres_url)
    _, check = records.open_engine(database)
    assert (check.state, check.remedy) == ("wrong", "Run: governance migrate.")
    upgrade(database)
    engine, check = records.open_engine(database)
    assert engine is not None, check
    found = {one.name: one for one in records.in_database(engine, lambda: datetime.now(UTC), seals=True, ships=True)}
    assert {name: one.state for name, one in found.items()} == {
        "clock": "ok",
        "durability": "wrong",  # tests run it fast rather than durable
        "ledger": "ok",
        "outbox": "ok",
        "audit log": "ok",
    }
    engine.dispose()


@pytest.mark.real
def test_a_database_that_lets_nobody_in_is_told(postgres_url: str) -> None:
    engine = make_engine(Database(url=postgres_url))
    nowhere = engine.url.set(database="nowhere").render_as_string(hide_password=False)
    engine.dispose()
    assert records.open_engine(Database(url=nowhere))[1].state == "wrong"


@pytest.mark.real
@pytest.mark.parametrize("pods", ["lenient", "strict"])
@pytest.mark.parametrize("endpoint", ["https://governance.example:8443", Service("platform")])
def test_what_a_real_api_server_makes_of_a_registration_is_as_installed(
    kubernetes: ControlPlane, sound: Installation, pods: Literal["lenient", "strict"], endpoint: str | Service
) -> None:
    authority = (sound.folder / "ca.crt").read_bytes()
    wanted = manifests(Registration(CLUSTER, endpoint, authority, pods=pods))[-1]
    answer = kubernetes.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(wanted))
    found = json.loads(answer)
    assert found["webhooks"][0] != wanted["webhooks"][0], "the API server completes it"
    assert clusters.differing(CLUSTER, found, frozenset({"ct-training"})) == []
