"""The arithmetic of the chain."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from governance.audit import chain

NOW = datetime(2026, 11, 23, 10, 44, tzinfo=UTC)
# The tree over these eight inputs is the published test vector of Certificate Transparency (RFC 6962, RFC 9162).
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_tree_is_that_of_rfc_9162(size: int) -> None:
    leaves = [hashlib.sha256(b"\x00" + bytes.fromhex(one)).digest() for one in INPUTS[:size]]
    assert chain.root(leaves) == ROOTS[size - 1]


def test_a_leaf_is_hashed_over_canonical_bytes() -> None:
    expected = hashlib.sha256(b'\x00{"a":"\xc3\xa4","b":[1,null]}').digest()
    assert chain.leaf({"b": [1, None], "a": "ä"}) == expected


def test_an_instant_is_written_in_utc_with_six_digits() -> None:
    assert chain.instant(NOW.astimezone(timezone(timedelta(hours=2)))) == "2026-11-23T10:44:00.000000Z"


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def sealed(key: Ed25519PrivateKey) -> chain.SignedHead:
    return chain.seal(3, [b"x" * 32, b"y" * 32], "a" * 64, NOW, key)


def test_a_head_is_signed_by_its_key_alone(key: Ed25519PrivateKey) -> None:
    head, public, other = sealed(key), key.public_key(), Ed25519PrivateKey.generate().public_key()
    assert chain.is_signed(head, {chain.key_id(public): public})
    assert not chain.is_signed(head, {chain.key_id(other): other})
    assert not chain.is_signed(head, {head.key_id: other})


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 4},
        {"size": 3},
        {"root": "b" * 64},
        {"previous": "b" * 64},
        {"sealed_at": NOW + timedelta(microseconds=1)},
        {"head": "b" * 64},
        {"signature": "b" * 128},
    ],
)
def test_no_field_of_a_head_can_change(key: Ed25519PrivateKey, changed: dict[str, object]) -> None:
    public = key.public_key()
    head = replace(sealed(key), **changed)  # type: ignore[arg-type]  # the fields are the test's
    assert not chain.is_signed(head, {chain.key_id(public): public})


def test_a_head_survives_being_written_and_read(key: Ed25519PrivateKey) -> None:
    assert chain.head_from(chain.head_as_dict(sealed(key))) == sealed(key)


@given(st.sampled_from(["number", "size", "root", "previous", "sealed_at", "key_id", "head", "signature"]), st.data())
def test_a_head_of_another_shape_is_refused(name: str, data: st.DataObject) -> None:
    value = chain.head_as_dict(sealed(Ed25519PrivateKey.from_private_bytes(b"k" * 32)))
    value[name] = data.draw(st.one_of(st.none(), st.booleans(), st.floats(), st.lists(st.integers()), st.just(-1)))
    with pytest.raises(ValueError, match=r"head|signature|hash"):
        chain.head_from(value)


def test_a_time_in_another_spelling_is_refused(key: Ed25519PrivateKey) -> None:
    with pytest.raises(ValueError, match="not as heads write it"):
        chain.head_from(chain.head_as_dict(sealed(key)) | {"sealed_at": "2026-11-23t10:44:00.0Z"})


def test_an_upper_case_hash_is_refused(key: Ed25519PrivateKey) -> None:
    with pytest.raises(ValueError, match="lower case"):
        chain.head_from(chain.head_as_dict(sealed(key)) | {"root": "A" * 64})
