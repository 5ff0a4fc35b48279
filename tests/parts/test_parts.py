"""Every real part does the one thing that the other tests need of it."""

import smtplib
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser
from sqlalchemy import create_engine, text

from tests.parts import opa, postgres
from tests.parts.oracle import Oracle
from tests.parts.process import running
from tests.parts.smtp import Smtp

pytestmark = [pytest.mark.real]
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def test_a_program_that_ends_early_is_reported_with_its_log(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo no such thing; exit 3"]
    with (
        pytest.raises(RuntimeError, match=r"(?s)ended with 3.*no such thing"),
        running("early", command, tmp_path, lambda: False),
    ):
        pytest.fail("it became ready")


def test_each_database_is_empty_and_its_own(postgres_server: postgres.Postgres) -> None:
    one, other = (create_engine(postgres_server.create_database()) for _ in range(2))
    with one.begin() as connection:
        connection.execute(text("CREATE TABLE mark (id integer)"))
    with other.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE tablename = 'mark'")) == 0
    one.dispose()
    other.dispose()


def test_a_durable_server_keeps_what_was_committed_when_it_is_killed(tmp_path: Path) -> None:
    with postgres.new_data() as data:
        with postgres.serve(data, tmp_path, durable=True) as server:
            dsn = f"host=127.0.0.1 port={server.port} user={postgres.SUPERUSER} dbname=postgres"
            with psycopg.connect(dsn) as connection:
                connection.execute("CREATE TABLE mark AS SELECT 42 AS value")
            server.process.kill()
        with postgres.serve(data, tmp_path, durable=True) as server:
            dsn = f"host=127.0.0.1 port={server.port} user={postgres.SUPERUSER} dbname=postgres"
            with psycopg.connect(dsn) as connection:
                assert connection.execute("SELECT value FROM mark").fetchone() == (42,)


def test_opa_answers_and_leaves_rego_tests_out(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "sums.rego").write_text("package sums\n\nnext := input.number + 1\n")
    (policies / "sums_test.rego").write_text("package sums_test\n\ntest_nothing := 1\n")
    with opa.start(tmp_path, [policies]) as server:
        answer = httpx.post(f"{server.url}/v1/data/sums/next", json={"input": {"number": 41}}).json()
        tests = httpx.get(f"{server.url}/v1/data/sums_test").json()
    assert answer["result"] == 42
    assert "result" not in tests


@pytest.mark.parametrize(
    ("thing", "usage"),
    [
        (
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "1500m"}}}]},
            },
            {"count/pods": "1", "pods": "1", "cpu": "1500m", "requests.cpu": "1500m", "limits.cpu": "1500m"},
        ),
        (
            {"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}},
            {"count/services": "1", "services": "1", "services.loadbalancers": "1", "services.nodeports": "1"},
        ),
        (
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "spec": {"resources": {"requests": {"storage": "10Gi"}}},
            },
            {"count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1", "requests.storage": "10Gi"},
        ),
    ],
    ids=["pod", "service", "claim"],
)
def test_the_oracle_charges_what_kubernetes_charges(
    quota_oracle: Oracle, thing: dict[str, Any], usage: dict[str, str]
) -> None:
    assert quota_oracle.usage(thing) == usage


def test_the_oracle_says_what_it_cannot_answer_and_goes_on(quota_oracle: Oracle) -> None:
    with pytest.raises(ValueError, match="no upstream evaluator"):
        quota_oracle.usage({"apiVersion": "v1", "kind": "ConfigMap"})
    assert quota_oracle.usage({"apiVersion": "v1", "kind": "Pod"})["pods"] == "1"


def test_mail_that_is_sent_can_be_read(smtp_server: Smtp) -> None:
    with smtplib.SMTP("127.0.0.1", smtp_server.port) as client:
        client.sendmail("a@hospital.example", "b@hospital.example", "Subject: Freeze\r\n\r\nUntil Monday.\r\n")
    (message,) = smtp_server.messages
    assert (message["Subject"], message.get_content().strip()) == ("Freeze", "Until Monday.")


def test_chromium_takes_a_picture(chromium: Browser, tmp_path: Path) -> None:
    page = chromium.new_page()
    page.set_content("<h1>Change 42</h1>")
    page.screenshot(path=tmp_path / "page.png")
    assert page.inner_text("h1") == "Change 42"
    assert (tmp_path / "page.png").read_bytes().startswith(PNG_SIGNATURE)
    page.close()
