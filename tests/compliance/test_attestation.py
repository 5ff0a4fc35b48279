"""Envelopes are read strictly and verified as DSSE says; what is wrong is named."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance.compliance.attestation import (
    ENVELOPE_BYTES_MAX,
    PAYLOAD_TYPE,
    InvalidCheckpoint,
    UnknownSignature,
    public_key,
    read,
    sign,
    signer_of,
)
from governance.errors import BadInput, GovernanceError
from tests.compliance.signing import DIGEST, KEY, OTHER_KEY, PASSED, PEM, envelope

KEYS = {"scanner": KEY.public_key()}
AT = datetime(2026, 11, 27, 10, tzinfo=UTC)


def test_what_was_signed_is_read_again() -> None:
    evidence = ({"uri": "report.json", "sha256": "ab" * 32},)
    whole = replace(
        PASSED, at=AT, until=AT + timedelta(days=1), control="A.8.8", resource="registry/app", evidence=evidence
    )
    signed = read(sign(whole, KEY))
    assert signed.checkpoint == whole
    assert signer_of(signed, KEYS) == "scanner"


def test_the_signature_is_over_what_dsse_says() -> None:
    """DSSE 1.0, protocol.md: PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body."""
    document = json.loads(envelope())
    body = base64.b64decode(document["payload"])
    pae = b" ".join([b"DSSEv1", str(len(PAYLOAD_TYPE)).encode(), PAYLOAD_TYPE.encode(), str(len(body)).encode(), body])
    (signature,) = document["signatures"]
    KEY.public_key().verify(base64.b64decode(signature["sig"]), pae)  # raises if it is not
    mine = {**document, "signatures": [{"sig": base64.b64encode(KEY.sign(pae)).decode()}]}
    assert signer_of(read(json.dumps(mine).encode()), KEYS) == "scanner"  # a keyid is only a hint


def test_another_key_is_no_attestors() -> None:
    with pytest.raises(UnknownSignature):
        signer_of(read(envelope(OTHER_KEY)), KEYS)
    document = json.loads(envelope(OTHER_KEY))
    document["signatures"][0]["keyid"] = json.loads(envelope())["signatures"][0]["keyid"]
    with pytest.raises(UnknownSignature):
        signer_of(read(json.dumps(document).encode()), KEYS)


def test_what_was_changed_after_it_was_signed_is_not_verified() -> None:
    document = json.loads(envelope(result="fail"))
    body = base64.b64decode(document["payload"]).replace(b'"fail"', b'"pass"')
    document["payload"] = base64.b64encode(body).decode()
    with pytest.raises(UnknownSignature):
        signer_of(read(json.dumps(document).encode()), KEYS)


def test_the_same_statement_is_the_same_however_it_is_written() -> None:
    document = json.loads(envelope(at=AT))
    spaced = json.dumps(document, indent=4).encode()
    assert read(spaced).sha256 == read(json.dumps(document).encode()).sha256
    assert read(envelope(at=AT, result="fail")).sha256 != read(spaced).sha256


def changed_envelope(**changes: Any) -> bytes:  # noqa: ANN401
    return json.dumps({**json.loads(envelope()), **changes}).encode()


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (changed_envelope(payloadType="application/json"), "payloadType"),
        (changed_envelope(signatures=[]), "signatures"),
        (changed_envelope(signatures="x"), "signatures"),
        (changed_envelope(signatures=[{"keyid": "a", "sig": "AA=="}] * 2), "signatures"),
        (changed_envelope(signatures=[{"sig": "AA=="}] * 11), "signatures"),
        (changed_envelope(signatures=["x"]), "signatures"),
        (changed_envelope(signatures=[{}]), "signatures"),
        (changed_envelope(payload=3), "signatures"),
        (changed_envelope(payload="%%%"), "signatures"),
        (changed_envelope(payload=base64.b64encode(b"[]").decode()), None),
        (b"{}", "signatures"),
        (b'{"a": 1, "a": 2}', "a"),
        (b"[]", None),
        (b"\xff", None),
        (b"[" * 10_000, None),
        (b" " * (ENVELOPE_BYTES_MAX + 1), "body"),
    ],
)
def test_what_is_no_envelope_is_refused(content: bytes, field: str | None) -> None:
    with pytest.raises(GovernanceError) as refused:
        read(content)
    assert isinstance(refused.value, BadInput)
    assert refused.value.field == field


def stated(**changes: Any) -> bytes:  # noqa: ANN401
    """An envelope whose statement says something else. `predicate`: of it only what is named changes."""
    document = json.loads(envelope())
    statement = json.loads(base64.b64decode(document["payload"]))
    predicate = {**statement["predicate"], **changes.pop("predicate", {})}
    document["payload"] = base64.b64encode(
        json.dumps({**statement, "predicate": predicate, **changes}).encode()
    ).decode()
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (stated(_type="https://in-toto.io/Statement/v0.1"), "_type"),
        (stated(predicateType="https://slsa.dev/provenance/v1"), "predicateType"),
        (stated(subject=[]), "subject"),
        (stated(subject=[{}, {}]), "subject"),
        (stated(subject=[{"digest": {"sha512": "00"}}]), "subject[0].digest.sha256"),
        (stated(subject=[{"digest": {"sha256": DIGEST}}]), "subject[0].digest.sha256"),
        (stated(predicate={"type": "Vuln Scan"}), "predicate.type"),
        (stated(predicate={"type": None}), "predicate.type"),
        (stated(predicate={"result": "passed"}), "predicate.result"),
        (stated(predicate={"result": ["pass"]}), "predicate.result"),
        (stated(predicate={"at": None}), "predicate.at"),
        (stated(predicate={"at": "yesterday"}), "predicate.at"),
        (stated(predicate={"at": "2026-11-27T10:00:00"}), "predicate.at"),
        (stated(predicate={"until": 1}), "predicate.until"),
        (stated(predicate={"control": "a\nb"}), "predicate.control"),
        (stated(predicate={"waiver": "x" * 501}), "predicate.waiver"),
        (stated(predicate={"evidence": {}}), "predicate.evidence"),
        (stated(predicate={"evidence": [{"uri": "a"}]}), "predicate.evidence[0]"),
        (stated(predicate={"evidence": [{"uri": "a\x00", "sha256": "ab" * 32}]}), "predicate.evidence[0].uri"),
    ],
)
def test_what_is_no_checkpoint_is_refused_with_its_field(content: bytes, field: str) -> None:
    with pytest.raises(InvalidCheckpoint) as refused:
        read(content)
    assert refused.value.field == field


def test_only_an_ed25519_public_key_is_one() -> None:
    assert public_key(PEM) is not None
    for text in ("", "x", PEM.replace("MCow", "AAAA"), PEM.replace("PUBLIC", "PRIVATE")):
        assert public_key(text) is None
