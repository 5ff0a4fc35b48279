"""The arithmetic of the audit chain. Pure.

An event's leaf is a hash over its canonical bytes; the events of a segment are the leaves of a Merkle tree, hashed as
RFC 9162 (section 2.1.1) does; a segment's head is a hash over its number, size, root, the previous head, the time of
sealing and the signing key, and is signed with Ed25519 (RFC 8032). A head therefore commits to everything before it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

GENESIS = "0" * 64
"""What the first head names as its previous."""

EVENT_FIELDS = (
    "id",
    "at",
    "actor",
    "action",
    "subject_kind",
    "subject_id",
    "reason",
    "before",
    "after",
    "request_id",
)
_LEAF, _NODE, _HEAD = b"\x00", b"\x01", b"\x02"
_SIGNED_AS = b"governance audit head v1\n"
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignedHead:
    """What a segment is: hashes, key id and signature are lower-case hexadecimal."""

    number: int  # the first is 1
    size: int  # events in the segment
    root: str
    previous: str
    sealed_at: datetime
    key_id: str
    head: str
    signature: str


def canonical(value: Mapping[str, Any]) -> bytes:
    """One byte sequence for one value: JSON, names in order of their code points, no white space, UTF-8.

    Raises ValueError for what JSON does not know (NaN, infinity) or UTF-8 cannot write (a lone surrogate).
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def instant(moment: datetime) -> str:
    """An instant as events and heads write it: UTC, always six digits of a second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def leaf(event: Mapping[str, Any]) -> bytes:
    """The leaf hash of an event, given by EVENT_FIELDS."""
    return hashlib.sha256(_LEAF + canonical(event)).digest()


def root(leaves: Sequence[bytes]) -> str:
    """The Merkle tree hash of at least one leaf: split at the largest power of two below the size."""
    return _tree(leaves).hex()


def _tree(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(_NODE + _tree(leaves[:split]) + _tree(leaves[split:])).digest()


def head_fields(head: SignedHead) -> dict[str, Any]:
    """What the head's hash is over."""
    return {
        "number": head.number,
        "size": head.size,
        "root": head.root,
        "previous": head.previous,
        "sealed_at": instant(head.sealed_at),
        "key_id": head.key_id,
    }


def head_as_dict(head: SignedHead) -> dict[str, Any]:
    """The head as it is exported and shipped."""
    return {**head_fields(head), "head": head.head, "signature": head.signature}


def head_from(value: Mapping[str, Any]) -> SignedHead:
    """The inverse of `head_as_dict`. Raises ValueError for any other shape."""
    if set(value) != {"number", "size", "root", "previous", "sealed_at", "key_id", "head", "signature"}:
        raise ValueError("a head has other fields")
    if not all(type(value[name]) is int and value[name] > 0 for name in ("number", "size")):
        raise ValueError("number and size of a head are whole and above zero")
    if not all(isinstance(value[name], str) for name in value if name not in {"number", "size"}):
        raise ValueError("a head's hashes, key and time are text")
    if not all(_HASH.fullmatch(value[name]) for name in ("root", "previous", "head")):
        raise ValueError("a hash of a head is 64 hexadecimal digits in lower case")
    if not _SIGNATURE.fullmatch(value["signature"]):
        raise ValueError("a signature is 128 hexadecimal digits in lower case")
    sealed_at = datetime.strptime(value["sealed_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    if instant(sealed_at) != value["sealed_at"]:  # strptime takes other spellings too: they would be changes unseen
        raise ValueError("the time of a head is not as heads write it")
    return SignedHead(**{**value, "sealed_at": sealed_at})


def key_id(key: Ed25519PublicKey) -> str:
    """A short name of a public key: the first 16 hexadecimal digits of SHA-256 over its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def seal(
    number: int, leaves: Sequence[bytes], previous: str, sealed_at: datetime, key: Ed25519PrivateKey
) -> SignedHead:
    """The signed head of the segment that holds these leaves, at least one."""
    unsigned = SignedHead(
        number=number,
        size=len(leaves),
        root=root(leaves),
        previous=previous,
        sealed_at=sealed_at,
        key_id=key_id(key.public_key()),
        head="",
        signature="",
    )
    head = head_hash(unsigned)
    signature = key.sign(_SIGNED_AS + bytes.fromhex(head)).hex()
    return SignedHead(**{**_as_arguments(unsigned), "head": head, "signature": signature})


def head_hash(head: SignedHead) -> str:
    """The hash that a head must carry, from its other fields."""
    return hashlib.sha256(_HEAD + canonical(head_fields(head))).hexdigest()


def is_signed(head: SignedHead, keys: Mapping[str, Ed25519PublicKey]) -> bool:
    """Whether the head's hash is its own, and one of these keys (by key id) signed it."""
    key = keys.get(head.key_id)
    if key is None or head.head != head_hash(head):
        return False
    try:
        key.verify(bytes.fromhex(head.signature), _SIGNED_AS + bytes.fromhex(head.head))
    except InvalidSignature:
        return False
    return True


def _as_arguments(head: SignedHead) -> dict[str, Any]:
    return {**head_fields(head), "sealed_at": head.sealed_at}
