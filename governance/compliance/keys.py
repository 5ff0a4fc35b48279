"""The keys of attestors: Ed25519, in PEM."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from governance.errors import BadInput


def read_public_key(pem: str) -> Ed25519PublicKey:
    """An Ed25519 public key. Raises BadInput."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        remedy = "Take it from the private one: openssl pkey -in attestor.pem -pubout"
        raise BadInput("It is not an Ed25519 public key in PEM.", field="publicKey", remedy=remedy)
    return key


def read_private_key(pem: bytes) -> Ed25519PrivateKey:
    """An Ed25519 private key. Raises BadInput."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        remedy = "Make one: openssl genpkey -algorithm ed25519 -out attestor.pem"
        raise BadInput("It is not an Ed25519 private key in PEM, without a password.", field="key", remedy=remedy)
    return key
