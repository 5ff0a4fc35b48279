"""What a listener may be started with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from governance.errors import BadInput
from governance.http.listeners import refuse_unsafe, server_context
from governance.settings import Settings
from tests.http.site import demo, production
from webhooks.kubernetes.certificates import issue

EVERYWHERE = "0.0.0.0"  # noqa: S104  (what must be refused)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (demo(web={"host": EVERYWHERE}), "web.host"),
        (demo(webhook={"host": EVERYWHERE}), "webhook.host"),
        (demo(web={"public_url": "http://governance.test"}), "web.public_url"),
        (production(web={"public_url": "http://governance.test"}), "web.public_url"),
        (production(web={"public_url": "http://127.0.0.1:8080"}), "web.public_url"),
        (production(web={"public_url": "https://governance.test/path"}), "web.public_url"),
        (production(web={"public_url": "governance.test"}), "web.public_url"),
        (production(oidc={}), "oidc.issuer"),
        (production(oidc={"issuer": "https://login.test"}), "oidc.client_id"),
        (production(oidc={"issuer": "http://login.test", "client_id": "governance"}), "oidc.issuer"),
        (demo(webhook={"port": 8080}), "web.port"),
        (production(webhook={"port": 8080, "host": EVERYWHERE}), "web.port"),
        (production(webhook={"client_names": ["kube-apiserver"]}), "webhook.client_names"),
    ],
)
def test_settings_that_could_not_be_trusted_are_refused(settings: Settings, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        refuse_unsafe(settings)
    assert refused.value.field == field
    assert refused.value.remedy


def test_settings_that_can_be_trusted_are_taken() -> None:
    refuse_unsafe(production())
    refuse_unsafe(demo())
    refuse_unsafe(production(oidc={"issuer": "http://127.0.0.1:9000", "client_id": "governance"}))
    refuse_unsafe(production(webhook={"port": 8080, "host": "192.0.2.1"}))  # one port, on two addresses


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    made = issue(tmp_path, ["governance.test"], datetime.now(UTC))
    return {"certificate": made.certificate, "key": made.key, "client_ca_file": made.authority}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"certificate": None, "key": None}, "webhook.certificate"),
        ({"certificate": None}, "webhook.certificate"),
        ({"key": None}, "webhook.key"),
        ({"certificate": "/nowhere/tls.crt"}, "webhook.certificate"),
        ({"key": "/nowhere/tls.key"}, "webhook.key"),
        ({"key": "other"}, "webhook.certificate"),
        ({"certificate": "garbage"}, "webhook.certificate"),
        ({"client_ca_file": "/nowhere/ca.crt"}, "webhook.client_ca_file"),
        ({"client_ca_file": "garbage"}, "webhook.client_ca_file"),
        ({"client_ca_file": ""}, "webhook.client_ca_file"),
    ],
)
def test_files_that_tls_cannot_use_are_named(
    files: dict[str, Any], tmp_path: Path, changes: dict[str, str | None], field: str
) -> None:
    (tmp_path / "garbage").write_text("garbage")
    other = issue(tmp_path / "of-another", ["other.test"], datetime.now(UTC)).key
    paths = {"garbage": tmp_path / "garbage", "other": other}
    webhook = files | {name: paths.get(value or "", value) for name, value in changes.items()}
    with pytest.raises(BadInput) as refused:
        server_context(production(webhook=webhook), "webhook")
    assert (refused.value.field, bool(refused.value.remedy)) == (field, True)


def test_the_demo_and_pages_behind_a_proxy_need_no_certificate() -> None:
    assert server_context(demo(), "webhook") is None
    assert server_context(production(), "web") is None


def test_a_key_with_a_password_is_refused(files: dict[str, Any]) -> None:
    key = serialization.load_pem_private_key(files["key"].read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"hunter2")
    kept = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
    files["key"].write_bytes(kept)
    with pytest.raises(BadInput, match="asks for a passphrase") as refused:
        server_context(production(webhook=files), "webhook")
    assert refused.value.field == "webhook.key"
