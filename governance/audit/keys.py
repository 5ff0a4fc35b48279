"""The signing key of the audit chain: Ed25519, as PEM (PKCS 8), readable by its owner alone."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from governance.audit.chain import key_id
from governance.errors import BadInput


def load_key(path: Path, field: str = "audit.signing_key") -> Ed25519PrivateKey:
    """Read a private key. `field`: what an error names. Raises BadInput."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(
            f"{path} is not a readable Ed25519 private key in PEM.",
            field=field,
            remedy="Make one: openssl genpkey -algorithm ed25519 -out key.pem",
        )
    return key


def ensure_key(path: Path) -> Ed25519PrivateKey:
    """The private key in that file; a new one if there is no file. Processes at once make one key. Raises BadInput."""
    if not path.exists():
        beside = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
        with contextlib.suppress(FileExistsError):  # somebody else made it first: theirs is the key
            path.hardlink_to(beside)
        beside.unlink()
    return load_key(path)


def public_pem(key: Ed25519PrivateKey) -> str:
    """The public half, for whoever verifies."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def load_public_keys(paths: Iterable[Path]) -> dict[str, Ed25519PublicKey]:
    """Public keys by key id. Raises BadInput that names the file."""
    keys: dict[str, Ed25519PublicKey] = {}
    for path in paths:
        try:
            key = load_pem_public_key(path.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise BadInput(f"{path} is not a readable Ed25519 public key in PEM.", field="public_key")
        keys[key_id(key)] = key
    return keys
