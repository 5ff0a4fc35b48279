from pathlib import Path

import pytest

from governance.errors import BadInput
from governance.settings import load


def test_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('log_level = "debug"\n[webhook]\nport = 9443\n')
    monkeypatch.setenv("GOVERNANCE_SETTINGS_FILE", str(file))
    monkeypatch.setenv("GOVERNANCE_WEBHOOK__PORT", "9444")
    settings = load()
    assert (settings.log_level, settings.webhook.port) == ("debug", 9444)


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("GOVERNANCE_WEBHOOK__PORT", "many", "webhook.port"),
        ("GOVERNANCE_POLICY__ENGINE", "cedar", "policy.engine"),
        ("GOVERNANCE_WEBHOOK__PROT", "1", "webhook.prot"),
        ("GOVERNANCE_DATABASE__URL", "mysql://root:hunter2@db/x", "database.url"),
        ("GOVERNANCE_DATABASE__URL", "postgresql+psycopg://root:hunter2@db:many/x", "database.url"),
        ("GOVERNANCE_DATABASE__URL", "hunter2", "database.url"),
        ("GOVERNANCE_CLUSTERS", "{hunter2", "clusters"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as caught:
        load()
    assert caught.value.field == field
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[database\n", b"\xff"])
def test_a_settings_file_that_is_no_toml_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    monkeypatch.setenv("GOVERNANCE_SETTINGS_FILE", str(file))
    with pytest.raises(BadInput, match=r"settings\.toml cannot be read as TOML") as caught:
        load()
    assert caught.value.field == "GOVERNANCE_SETTINGS_FILE"


def test_a_settings_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVERNANCE_SETTINGS_FILE", "/nowhere/settings.toml")
    with pytest.raises(BadInput, match="GOVERNANCE_SETTINGS_FILE"):
        load()


def test_a_secret_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVERNANCE_OIDC__CLIENT_SECRET", "hunter2")
    assert "hunter2" not in repr(load())
