"""Envelopes are held against the DSSE protocol itself, in both directions."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from governance.audit.keys import public_pem
from governance.compliance.attestation import ENVELOPE_BYTES_MAX, read, sign, verify
from governance.compliance.model import Checkpoint, Evidence
from governance.errors import BadInput, Malformed, TooLarge
from tests.compliance.envelopes import DIGEST, KEY, OTHER_KEY, TYPE, Json, pae, seal, sent, statement

AT = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
WHOLE = Checkpoint(
    type="vuln-scan",
    result="fail",
    digest=DIGEST,
    resource="registry.example/slides",
    attestor="image-scanner",
    at=AT,
    control="ISO 27001 A.8.8",
    policy_digest="sha256:" + "0f" * 32,
    until=AT + timedelta(days=30),
    waiver="RISK-12",
    evidence=(Evidence("report.sarif", "cd" * 32),),
)


def changed(change: Callable[[Json], Any]) -> Json:
    """An envelope whose statement was changed before it was signed."""
    made = statement(AT)
    change(made)
    return seal(made)


def test_the_encoding_is_that_of_the_protocols_own_test_vector() -> None:
    # DSSE protocol.md, "Test Vectors": payload `hello world`, payloadType `http://example.com/HelloWorld`
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_what_was_signed_by_the_protocol_is_read_and_verified() -> None:
    sealed = read(sent(seal(statement(AT))))
    verify(sealed, public_pem(KEY))
    assert sealed.checkpoint == Checkpoint("vuln-scan", "pass", DIGEST, "registry.example/slides", "image-scanner", AT)


def test_what_we_sign_is_signed_as_the_protocol_says_and_reads_back() -> None:
    envelope = sign(WHOLE, KEY)
    (signature,) = envelope["signatures"]
    payload = base64.b64decode(envelope["payload"])
    KEY.public_key().verify(base64.b64decode(signature["sig"]), pae(envelope["payloadType"], payload))
    sealed = read(sent(envelope))
    assert sealed.checkpoint == WHOLE
    assert verify(sealed, public_pem(KEY)) == signature["keyid"]


def test_urlsafe_base64_and_any_of_several_signatures_are_taken() -> None:
    envelope = seal({**statement(AT), "more": "???>>>~~~" * 20})  # unknown fields of a Statement are left alone
    payload = base64.b64decode(envelope["payload"])
    envelope["payload"] = base64.urlsafe_b64encode(payload).decode()
    assert set("-_") & set(envelope["payload"])
    by_other = seal(payload, OTHER_KEY)["signatures"][0]
    envelope["signatures"] = [by_other, {**envelope["signatures"][0], "keyid": by_other["keyid"]}]
    verify(read(sent(envelope)), public_pem(KEY))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.update(seal(statement(AT), OTHER_KEY)),
        lambda one: one.update(payload=seal(statement(AT, result="fail"))["payload"]),
        lambda one: one.update(signatures=seal(statement(AT), payload_type="text/plain")["signatures"]),
    ],
    ids=["another key", "another payload", "signed as another type"],
)
def test_a_signature_that_is_not_the_attestors_over_just_this_is_refused(spoil: Callable[[Json], None]) -> None:
    envelope = seal(statement(AT))
    spoil(envelope)
    with pytest.raises(BadInput, match=r"signatures: None is by the key of image-scanner\."):
        verify(read(sent(envelope)), public_pem(KEY))


def test_the_same_statement_has_one_digest_however_it_is_wrapped() -> None:
    once, again = seal(statement(AT)), seal(statement(AT), OTHER_KEY, keyid="x")
    assert read(sent(once)).statement_digest == read(sent(again)).statement_digest
    assert read(sent(once)).statement_digest != read(sent(seal(statement(AT, result="fail")))).statement_digest


@pytest.mark.parametrize(
    ("envelope", "field"),
    [
        ({**seal(statement(AT)), "payloadType": "application/json"}, "payloadType"),
        ({"payload": "", "signatures": []}, "payloadType"),
        ({**seal(statement(AT)), "payload": "no base64!"}, "payload"),
        ({**seal(statement(AT)), "payload": 7}, "payload"),
        ({**seal(statement(AT)), "signatures": []}, "signatures"),
        ({**seal(statement(AT)), "signatures": None}, "signatures"),
        ({**seal(statement(AT)), "signatures": seal(statement(AT))["signatures"] * 9}, "signatures"),
        ({**seal(statement(AT)), "signatures": ["x"]}, "signatures[0]"),
        ({**seal(statement(AT)), "signatures": [{}]}, "signatures[0].sig"),
        ({**seal(statement(AT)), "signatures": [{"sig": "AAAA"}]}, "signatures[0].sig"),
        (changed(lambda one: one.update(_type="https://in-toto.io/Statement/v0.1")), "_type"),
        (changed(lambda one: one.update(predicateType="https://slsa.dev/provenance/v1")), "predicateType"),
        (changed(lambda one: one.update(subject=[])), "subject"),
        (changed(lambda one: one.update(subject=one["subject"] * 2)), "subject"),
        (changed(lambda one: one["subject"][0].pop("digest")), "subject[0].digest"),
        (changed(lambda one: one["subject"][0].update(digest={"sha512": "aa"})), "subject[0].digest.sha256"),
        (changed(lambda one: one["subject"][0].update(digest={"sha256": "AA" * 32})), "subject[0].digest.sha256"),
        (changed(lambda one: one["subject"][0].update(name="a\x1b[2J")), "subject[0].name"),
        (changed(lambda one: one.update(predicate=[])), "predicate"),
        (seal(statement(AT, type=None)), "predicate.type"),
        (seal(statement(AT, type="Vuln scan")), "predicate.type"),
        (seal(statement(AT, type=["vuln-scan"])), "predicate.type"),
        (seal(statement(AT, result=None)), "predicate.result"),
        (seal(statement(AT, result="warn")), "predicate.result"),
        (seal(statement(AT, result=True)), "predicate.result"),
        (seal(statement(AT, result=["pass"])), "predicate.result"),
        (seal(statement(AT, attestor=None)), "predicate.attestor"),
        (seal(statement(AT, attestor="a" * 201)), "predicate.attestor"),
        (seal(statement(AT, time=None)), "predicate.time"),
        (seal(statement(AT, time="2026-11-23T12:00:00")), "predicate.time"),
        (seal(statement(AT, time="2026-13-23T12:00:00Z")), "predicate.time"),
        (seal(statement(AT, time="0001-01-01T00:00:00+23:59")), "predicate.time"),
        (seal(statement(AT, time=1_795_000_000)), "predicate.time"),
        (seal(statement(AT, until="soon")), "predicate.until"),
        (seal(statement(AT, until=AT.isoformat())), "predicate.until"),
        (seal(statement(AT, control=7)), "predicate.control"),
        (seal(statement(AT, policyDigest="sha256:0")), "predicate.policyDigest"),
        (seal(statement(AT, waiver="a\nb")), "predicate.waiver"),
        (seal(statement(AT, evidence={})), "predicate.evidence"),
        (seal(statement(AT, evidence=[{"name": "a"}] * 51)), "predicate.evidence"),
        (seal(statement(AT, evidence=["report"])), "predicate.evidence[0]"),
        (seal(statement(AT, evidence=[{"name": "a", "digest": {}}])), "predicate.evidence[0].digest.sha256"),
        (seal(statement(AT, results="pass")), "predicate.results"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(envelope: Json, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(sent(envelope))
    assert caught.value.field == field
    assert caught.value.remedy


def test_a_member_that_stands_twice_is_refused_in_the_envelope_and_in_the_statement() -> None:
    envelope = sent(seal(statement(AT)))
    with pytest.raises(Malformed, match="payloadType: The member stands twice"):
        read(envelope[:-1] + f', "payloadType": "{TYPE}"}}'.encode())
    inside = json.dumps(statement(AT)).replace('"result": "pass"', '"result": "fail", "result": "pass"')
    with pytest.raises(Malformed, match="result: The member stands twice"):
        read(sent(seal(inside.encode())))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"payload": NaN}'])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)


def test_one_byte_more_than_the_limit_is_refused() -> None:
    envelope = sent(seal(statement(AT)))
    read(envelope.ljust(ENVELOPE_BYTES_MAX))
    with pytest.raises(TooLarge):
        read(envelope.ljust(ENVELOPE_BYTES_MAX + 1))


def test_a_key_of_another_kind_is_no_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for one in (pem, "", "-----BEGIN PUBLIC KEY-----"):
        with pytest.raises(BadInput, match="not an Ed25519 public key"):
            verify(read(sent(seal(statement(AT)))), one)
