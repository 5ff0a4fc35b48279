"""What an event keeps, and what never enters one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import select

from governance.audit.chain import canonical
from governance.audit.log import event, record
from governance.audit.redaction import BYTES_MAX, REDACTED, clean, clean_text, speaks_of_a_secret
from governance.audit.tables import AuditEvent
from governance.db.session import transaction

PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJva2Fmb3IifQ.c2ln"


def cleaned(value: dict[str, Any]) -> dict[str, Any]:
    result = clean(value)
    assert result is not None
    return result


@pytest.mark.parametrize(
    "name",
    [
        *("password", "dbPassword", "client_secret", "clientSecret", "SECRET", "token", "api-token", "apiKey"),
        *("API_KEY", "privateKey", "signing_key", "Authorization", "Set-Cookie", "AWS_SECRET_ACCESS_KEY"),
        *("credentials", "x-api-key"),
    ],
)
def test_what_stands_under_a_name_that_speaks_of_a_secret_is_redacted(name: str) -> None:
    assert cleaned({"a": {name: "hunter2"}, name: ["hunter2"]}) == {"a": {name: REDACTED}, name: REDACTED}


@pytest.mark.parametrize(
    "name", ["secretName", "tokenId", "token_hash", "count/secrets", "key", "keys", "monkey", "secretary", "key_id"]
)
def test_a_reference_to_a_secret_is_kept(name: str) -> None:
    assert not speaks_of_a_secret(name)
    assert cleaned({name: 3}) == {name: 3}


def test_values_of_environment_variables_are_redacted_and_their_names_are_kept() -> None:
    env = [{"name": "DB", "value": "x"}, {"name": "REF", "valueFrom": {"secretKeyRef": {"name": "n"}}}, "loose"]
    result = cleaned({"containers": [{"env": env}], "env": {"DB": "x"}})
    assert result["containers"][0]["env"][0] == {"name": "DB", "value": REDACTED}
    assert result["containers"][0]["env"][1]["name"] == "REF"
    assert result["containers"][0]["env"][2] == REDACTED
    assert result["env"] == {"DB": REDACTED}


def test_the_data_of_a_kubernetes_secret_is_redacted_and_that_of_a_config_map_is_not() -> None:
    assert cleaned({"o": {"kind": "Secret", "data": {"a": "eA=="}, "stringData": {"b": "x"}}}) == {
        "o": {"kind": "Secret", "data": REDACTED, "stringData": REDACTED}
    }
    assert cleaned({"kind": "ConfigMap", "data": {"a": "x"}}) == {"kind": "ConfigMap", "data": {"a": "x"}}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"see {PEM} there", f"see {REDACTED} there"),
        (f"token {JWT}", f"token {REDACTED}"),
        ("postgresql://governance:hunter2@db.example/x", f"postgresql://{REDACTED}@db.example/x"),
        ("Authorization: Bearer abcdefghij", f"Authorization: Bearer {REDACTED}"),
        ("gov_0123456789abcdefXYZ", REDACTED),
        ("image ct@sha256:9f1, user okafor@hospital.example", "image ct@sha256:9f1, user okafor@hospital.example"),
    ],
)
def test_text_that_looks_like_a_secret_is_redacted_wherever_it_stands(text: str, kept: str) -> None:
    assert cleaned({"note": [text]}) == {"note": [kept]}
    assert event("a", "b", "c", "d", text)["reason"] == kept


def test_values_become_plain_json_without_floats() -> None:
    class Colour(StrEnum):
        RED = "red"

    at = datetime.fromisoformat("2026-11-23T10:44:00+01:00")
    value = {
        "d": Decimal("1.10"),
        "f": 1.5,
        "t": at,
        "u": UUID(int=1),
        "c": Colour.RED,
        "s": {"b", "a"},
        "o": object(),
    }
    assert clean(value) == {
        "d": "1.10",
        "f": "1.5",
        "t": "2026-11-23T09:44:00.000000Z",
        "u": "00000000-0000-0000-0000-000000000001",
        "c": "red",
        "s": ["a", "b"],
        "o": "object",
    }


def test_what_is_too_large_is_kept_as_its_size_and_hash() -> None:
    result = cleaned({"text": "x" * BYTES_MAX})
    assert result["too_large"] is True
    assert len(result["sha256"]) == 64
    assert len(event("a" * 5000, "b", "c", "d")["actor"]) == 4000


def test_depth_is_bounded() -> None:
    value: dict[str, Any] = {}
    for _ in range(5000):
        value = {"x": value}
    assert "[too deep]" in str(clean(value))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_whatever_is_cleaned_has_canonical_bytes_and_cleaning_it_again_changes_nothing(value: dict[str, Any]) -> None:
    once = cleaned(value)
    canonical(once)
    assert clean(once) == once


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_can_be_stored(text: str) -> None:
    clean_text(text).encode()
    assert "\x00" not in clean_text(text)


def test_an_event_stands_if_and_only_if_its_transaction_does(engine: Engine) -> None:
    def break_off() -> None:
        with transaction(engine) as session:
            record(session, "okafor", "change.submit", "change", "CH-1")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        break_off()
    with transaction(engine) as session:
        record(session, "okafor", "change.submit", "change", "CH-2", before=None, after={"a": 2**70, "z": "ä"})
    with transaction(engine) as session:
        row = session.exec(select(AuditEvent)).one()
        assert (row.subject_id, row.before, row.after) == ("CH-2", None, {"a": 2**70, "z": "ä"})
