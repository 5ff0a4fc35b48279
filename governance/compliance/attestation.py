"""Reading and signing checkpoints: an in-toto Statement in a DSSE envelope, signed with Ed25519.

Sources: DSSE 1.0 ("Dead Simple Signing Envelope", protocol.md and envelope.md); in-toto Attestation Framework,
Statement v1. securesystemslib reads the envelope and checks the signature; `keyid` is a hint there, and none is needed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]  # without `as`, as PEP 484 asks

from governance.audit.chain import key_id
from governance.compliance.model import FAIL, PASS, Checkpoint
from governance.errors import BadInput, TooLarge
from governance.strict_json import load

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://governance.io/attestations/checkpoint/v1"
ENVELOPE_BYTES_MAX = 64 * 1024
_SIGNATURES_MAX = 10
_EVIDENCE_MAX = 50
_DEPTH_MAX = 10
_TEXT_MAX = 500
_TYPE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", re.ASCII)
_SHA256 = re.compile("[0-9a-f]{64}", re.ASCII)
_REMEDY = "See checkpoints.md for the form of a checkpoint."


class InvalidCheckpoint(BadInput):
    title = "Invalid checkpoint"


class UnknownSignature(BadInput):
    title = "No attestor signed this"


@dataclass(frozen=True, slots=True)
class Signed:
    """An envelope that was read and not verified yet. `sha256`: of its payload and type, whatever its JSON looks like:
    the same statement is the same checkpoint, however often it is signed."""

    envelope: Envelope
    checkpoint: Checkpoint
    sha256: str


def read(content: bytes) -> Signed:
    """Read an envelope.

    Raises:
        InvalidCheckpoint: it is no envelope, or holds no checkpoint; names the field.
        Malformed, TooLarge: it is no JSON that says one thing, or too much of it.
    """
    if len(content) > ENVELOPE_BYTES_MAX:
        detail = f"An envelope has at most {ENVELOPE_BYTES_MAX} bytes."
        raise TooLarge(detail, field="body", remedy="Name less evidence.")
    document = load(content, "envelope", _DEPTH_MAX)
    signatures = document.get("signatures")
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= _SIGNATURES_MAX:
        raise _bad("signatures", f"there must be one to {_SIGNATURES_MAX} signatures")
    if document.get("payloadType") != PAYLOAD_TYPE:
        raise _bad("payloadType", f"it must be {PAYLOAD_TYPE}")
    try:
        named = [{**one, "keyid": one.get("keyid") or f"#{place}"} for place, one in enumerate(signatures)]
        envelope = Envelope.from_dict({**document, "signatures": named})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _bad("signatures", "it is no DSSE envelope, or two signatures have the same keyid") from None
    statement = load(envelope.payload, "statement", _DEPTH_MAX)
    return Signed(envelope, _checkpoint(statement), hashlib.sha256(envelope.pae()).hexdigest())


def signer_of(signed: Signed, keys: Mapping[str, Ed25519PublicKey]) -> str:
    """The name of whose key signed it. `keys`: by name. Raises UnknownSignature."""
    pae = signed.envelope.pae()
    for signature in signed.envelope.signatures.values():
        for name, public in keys.items():
            try:
                SSlibKey.from_crypto(public, keyid=signature.keyid).verify_signature(signature, pae)
            except (UnverifiedSignatureError, VerificationError):
                continue
            return name
    raise UnknownSignature(
        "The envelope is signed by no attestor that is in force.",
        field="signatures",
        remedy="Describe whoever signed it in an Attestor manifest, or sign it with an attestor's key.",
    )


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey, subject: str = "") -> bytes:
    """The envelope of a checkpoint, as JSON. `subject`: what people call what the digest is of."""
    envelope = Envelope(orjson.dumps(_statement(checkpoint, subject)), PAYLOAD_TYPE, {})
    public = key.public_key()
    envelope.sign(CryptoSigner(key, SSlibKey.from_crypto(public, keyid=key_id(public))))
    return orjson.dumps(envelope.to_dict())


def public_key(pem: str) -> Ed25519PublicKey | None:
    """The Ed25519 public key in a PEM text; None: there is none."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def _statement(one: Checkpoint, subject: str) -> dict[str, Any]:
    predicate: dict[str, Any] = {"type": one.type, "result": one.result, "at": _text(one.at)}
    if one.until:
        predicate["until"] = _text(one.until)
    words = {"control": one.control, "resource": one.resource, "policyDigest": one.policy_digest, "waiver": one.waiver}
    predicate |= {name: value for name, value in words.items() if value}
    if one.evidence:
        predicate["evidence"] = [dict(each) for each in one.evidence]
    algorithm, _, value = one.digest.partition(":")
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject or one.resource or "image", "digest": {algorithm: value}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }


def _checkpoint(statement: Mapping[str, Any]) -> Checkpoint:
    for field, wanted in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
        if statement.get(field) != wanted:
            raise _bad(field, f"it must be {wanted}")
    predicate = statement.get("predicate")
    if not isinstance(predicate, dict):
        raise _bad("predicate", "it must be an object")
    type_, result = predicate.get("type"), predicate.get("result")
    if not isinstance(type_, str) or not _TYPE.fullmatch(type_):
        raise _bad("predicate.type", "it must be a name such as vuln-scan")
    if result not in (PASS, FAIL):  # a set would have to hash whatever stands there
        raise _bad("predicate.result", "it must be pass or fail")
    at = _time(predicate, "at")
    if at is None:
        raise _bad("predicate.at", "it must say when the control was checked")
    return Checkpoint(
        type=type_,
        result=result,
        digest=_digest(statement.get("subject")),
        at=at,
        until=_time(predicate, "until"),
        control=_words(predicate, "control"),
        resource=_words(predicate, "resource"),
        policy_digest=_words(predicate, "policyDigest"),
        waiver=_words(predicate, "waiver"),
        evidence=tuple(_evidence(predicate.get("evidence", []))),
    )


def _digest(subject: Any) -> str:  # noqa: ANN401  (what JSON held)
    field = "subject[0].digest.sha256"
    if not isinstance(subject, list) or len(subject) != 1 or not isinstance(subject[0], dict):
        raise _bad("subject", "there must be one")
    digest = subject[0].get("digest")
    value = digest.get("sha256") if isinstance(digest, dict) else None
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise _bad(field, "it must be a SHA-256 in 64 hexadecimal digits")
    return f"sha256:{value}"


def _time(predicate: Mapping[str, Any], name: str) -> datetime | None:
    value = predicate.get(name)
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        found = None
    if found is None or found.tzinfo is None:
        raise _bad(f"predicate.{name}", "it must be a time such as 2026-11-27T10:00:00Z")
    return found.astimezone(UTC)


def _words(predicate: Mapping[str, Any], name: str) -> str:
    value = predicate.get(name, "")
    if not isinstance(value, str) or len(value) > _TEXT_MAX or not (value.isprintable()):
        raise _bad(f"predicate.{name}", f"it must be a text of at most {_TEXT_MAX} characters on one line")
    return value


def _evidence(listed: Any) -> Iterable[Mapping[str, str]]:  # noqa: ANN401
    if not isinstance(listed, list) or len(listed) > _EVIDENCE_MAX:
        raise _bad("predicate.evidence", f"it must be a list of at most {_EVIDENCE_MAX}")
    for place, one in enumerate(listed):
        known = one if isinstance(one, dict) else {}
        uri, sha256 = known.get("uri"), known.get("sha256")
        if not isinstance(uri, str) or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise _bad(f"predicate.evidence[{place}]", "it must have a uri and a sha256")
        if len(uri) > _TEXT_MAX or not uri.isprintable():
            raise _bad(f"predicate.evidence[{place}].uri", f"it must have at most {_TEXT_MAX} characters")
        yield {"uri": uri, "sha256": sha256}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _bad(field: str, what: str) -> InvalidCheckpoint:
    return InvalidCheckpoint(f"{field}: {what}.", field=field, remedy=_REMEDY)
