"""Signed statements: DSSE envelopes (Dead Simple Signing Envelope 1.0.2) around in-toto Statements v1, by Ed25519 keys.

    envelope   {"payloadType": "application/vnd.in-toto+json", "payload": base64, "signatures": [{"keyid", "sig"}]}
    payload    {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name", "digest": {"sha256"}}],
                "predicateType": "https://governance.io/checkpoint/v1", "predicate": {...}}
    predicate  type, result, attestor, time; control, policyDigest, until, waiver, evidence [{"name", "digest"}]

What is signed is the pre-authentication encoding of payload type and payload, so the bytes that were signed are those
that are read. A key id in an envelope is a hint that nobody vouches for (DSSE protocol), so it is not looked at.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey

from governance.compliance.keys import read_public_key
from governance.compliance.model import RESULTS, Checkpoint, Evidence, is_digest, is_type
from governance.errors import BadInput, TooLarge
from governance.strict_json import load

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://governance.io/checkpoint/v1"
ENVELOPE_BYTES_MAX = 64 * 1024
EVIDENCE_MAX = 50  # files
SIGNATURES_MAX = 8

_DEPTH_MAX = 8
_TEXT_MAX = 500  # characters
_NAME_MAX = 200
_SIGNATURE_BYTES = 64  # RFC 8032, section 5.1.6
_REQUIRED = ("type", "result", "attestor", "time")
_KNOWN = {*_REQUIRED, "control", "policyDigest", "until", "waiver", "evidence"}
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)  # RFC 3339, section 5.6, date-time
_HEX = re.compile("[0-9a-f]{64}")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sealed:
    """An envelope that was read, not yet verified: what it claims, and what must be verified of it."""

    checkpoint: Checkpoint
    document: Json  # the envelope itself
    payload: bytes
    signatures: tuple[bytes, ...]

    @property
    def statement_digest(self) -> str:
        """SHA-256 in hex over the payload: the same statement has the same one, whoever signed or wrapped it anew."""
        return sha256(self.payload).hexdigest()


def read(body: bytes) -> Sealed:
    """Read an envelope and the statement in it. Nothing of it is vouched for until `verify`.

    Raises:
        TooLarge: longer than `ENVELOPE_BYTES_MAX`.
        Malformed: no JSON, or a member stands twice.
        BadInput: a field is missing or wrong; names it.
    """
    if len(body) > ENVELOPE_BYTES_MAX:
        raise TooLarge(
            f"The envelope is longer than {ENVELOPE_BYTES_MAX} bytes.",
            remedy="Name evidence by its hash, and keep it elsewhere.",
        )
    document = load(body, "envelope", _DEPTH_MAX)
    if document.get("payloadType") != PAYLOAD_TYPE:
        raise _wrong("payloadType", f"It is not {PAYLOAD_TYPE}.", "Send an in-toto Statement.")
    payload = _decoded(document.get("payload"), "payload")
    signatures = document.get("signatures")
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= SIGNATURES_MAX:
        raise _wrong("signatures", f"There are not one to {SIGNATURES_MAX} of them.", "Sign the statement.")
    decoded = tuple(_signature(one, f"signatures[{place}]") for place, one in enumerate(signatures))
    return Sealed(_statement(payload), document, payload, decoded)


def verify(sealed: Sealed, public_key: str) -> str:
    """Verify that one of the signatures is by this key. Returns the key's id.

    Args:
        public_key: Ed25519, PEM.

    Raises:
        BadInput: none is; or the key is none.
    """
    key = SSlibKey.from_crypto(read_public_key(public_key))
    for one in sealed.signatures:
        envelope = Envelope(sealed.payload, PAYLOAD_TYPE, {key.keyid: Signature(key.keyid, one.hex())})
        try:
            envelope.verify([key], 1)
        except VerificationError:
            continue
        return key.keyid
    attestor = sealed.checkpoint.attestor
    raise _wrong("signatures", f"None is by the key of {attestor}.", "Sign with the key that its manifest names.")


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> dict[str, Any]:
    """The envelope of a checkpoint, signed."""
    envelope = Envelope(orjson.dumps(statement_of(checkpoint)), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(key))
    signed: dict[str, Any] = envelope.to_dict()
    return signed


def statement_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """The in-toto Statement of a checkpoint."""
    algorithm, _, value = checkpoint.digest.partition(":")
    predicate: dict[str, Any] = {
        "type": checkpoint.type,
        "result": checkpoint.result,
        "attestor": checkpoint.attestor,
        "time": _written(checkpoint.at),
        "control": checkpoint.control,
        "policyDigest": checkpoint.policy_digest,
        "until": _written(checkpoint.until) if checkpoint.until else "",
        "waiver": checkpoint.waiver,
        "evidence": [{"name": one.name, "digest": {"sha256": one.sha256}} for one in checkpoint.evidence],
    }
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": checkpoint.resource, "digest": {algorithm: value}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {name: value for name, value in predicate.items() if value},
    }


def _signature(one: object, field: str) -> bytes:
    value = _decoded(_object(one, field).get("sig"), f"{field}.sig")
    if len(value) != _SIGNATURE_BYTES:
        raise _wrong(f"{field}.sig", "It is not an Ed25519 signature.", "Sign with an Ed25519 key.")
    return value


def _statement(payload: bytes) -> Checkpoint:
    document = load(payload, "statement", _DEPTH_MAX)
    for name, wanted in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
        if document.get(name) != wanted:
            raise _wrong(name, f"It is not {wanted}.", "Send a statement about a checkpoint.")
    subjects = document.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1:
        raise _wrong("subject", "It does not name exactly one subject.", "Make a statement for each.")
    subject = _object(subjects[0], "subject[0]")
    predicate = _object(document.get("predicate"), "predicate")
    for name in _REQUIRED:
        if name not in predicate:
            raise _wrong(f"predicate.{name}", "It is missing.", "Add it.")
    for name in predicate:
        if name not in _KNOWN:
            raise _wrong(f"predicate.{name[:_NAME_MAX]}", "Unknown field.", f"Known are {', '.join(sorted(_KNOWN))}.")
    return _checkpoint(subject, predicate)


def _checkpoint(subject: Json, predicate: Json) -> Checkpoint:
    type_ = _text(predicate, "type", "predicate", _NAME_MAX)
    if not is_type(type_):
        raise _wrong("predicate.type", "It is not a type.", "Use lower-case letters, digits, - and .")
    if predicate["result"] not in RESULTS:
        raise _wrong("predicate.result", "It is neither pass nor fail.", "Write pass or fail.")
    at, until = _time(predicate, "time"), _time(predicate, "until") if "until" in predicate else None
    if until is not None and until <= at:
        raise _wrong("predicate.until", "It ends before it begins.", "Name a time after predicate.time.")
    return Checkpoint(
        type=type_,
        result=predicate["result"],
        digest=f"sha256:{_sha256(subject, 'subject[0]')}",
        resource=_text(subject, "name", "subject[0]", _TEXT_MAX),
        attestor=_text(predicate, "attestor", "predicate", _NAME_MAX),
        at=at,
        control=_text(predicate, "control", "predicate", _TEXT_MAX),
        policy_digest=_policy_digest(predicate),
        until=until,
        waiver=_text(predicate, "waiver", "predicate", _TEXT_MAX),
        evidence=_evidence(predicate.get("evidence", [])),
    )


def _evidence(found: object) -> tuple[Evidence, ...]:
    if not isinstance(found, list) or len(found) > EVIDENCE_MAX:
        raise _wrong("predicate.evidence", f"It is no list of at most {EVIDENCE_MAX} files.", "Name fewer.")
    named = [(_object(one, where), where) for place, one in enumerate(found) if (where := _place("evidence", place))]
    return tuple(Evidence(_text(one, "name", where, _TEXT_MAX), _sha256(one, where)) for one, where in named)


def _place(name: str, place: int) -> str:
    return f"predicate.{name}[{place}]"


def _policy_digest(predicate: Json) -> str:
    found = _text(predicate, "policyDigest", "predicate", _NAME_MAX)
    if found and not is_digest(found):
        raise _wrong("predicate.policyDigest", "It is not a digest.", "Write sha256: and 64 hexadecimal digits.")
    return found


def _sha256(source: Json, where: str) -> str:
    found = _object(source.get("digest"), f"{where}.digest").get("sha256")
    if not isinstance(found, str) or not _HEX.fullmatch(found):
        raise _wrong(f"{where}.digest.sha256", "It is not 64 hexadecimal digits.", "Give the SHA-256 digest.")
    return found


def _text(source: Json, name: str, where: str, characters_max: int) -> str:
    """A text without control characters; empty where it is absent."""
    found = source.get(name, "")
    if not isinstance(found, str) or len(found) > characters_max or not found.isprintable():
        detail = f"It is no plain text of at most {characters_max} characters."
        raise _wrong(f"{where}.{name}", detail, "Shorten it to one line.")
    return found


def _time(predicate: Json, name: str) -> datetime:
    found = predicate[name]
    try:
        if isinstance(found, str) and _TIME.fullmatch(found):
            return datetime.fromisoformat(found).astimezone(UTC)
    except (ValueError, OverflowError):  # the thirteenth month, or the year before the first
        pass
    raise _wrong(f"predicate.{name}", "It is not a time.", "Write it as in RFC 3339: 2026-11-23T12:00:00Z.")


def _object(found: object, field: str) -> Json:
    if not isinstance(found, dict):
        raise _wrong(field, "It is not an object.", "See docs/checkpoints.md.")
    return found


def _decoded(found: object, field: str) -> bytes:
    """Base64, standard or URL-safe, as the DSSE protocol lets a sender choose."""
    if isinstance(found, str) and found:
        for characters in (None, b"-_"):
            try:
                return base64.b64decode(found, altchars=characters, validate=True)
            except (binascii.Error, ValueError):
                continue
    raise _wrong(field, "It is not base64.", "Write it as DSSE says.")


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _wrong(field: str, detail: str, remedy: str) -> BadInput:
    return BadInput(detail, field=field, remedy=remedy)
