"""The document on its way to an engine: the same exact JSON for each of them. Pure.

What an engine would round, cut or read differently from another is refused here: fractions (no fact has one), numbers
beyond what OPA holds exactly, text that is not Unicode, and documents that would keep an engine busy beyond a deadline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from governance.errors import PolicyUnavailable

DOCUMENT_BYTES_MAX = 256 * 1024


def encode(document: Mapping[str, Any]) -> bytes:
    """The document as JSON text in UTF-8.

    Raises:
        PolicyUnavailable: it cannot be put to an engine as it is.
    """
    try:
        # Numbers beyond 64 bits are none for orjson. OPA computes with as many (the mantissa of math/big.Float).
        written = orjson.dumps(document, option=_PLAIN)
    except TypeError as error:
        raise _refused(f"holds what an engine does not read exactly ({error})") from None
    if len(written) > DOCUMENT_BYTES_MAX:
        raise _refused(f"is {len(written)} bytes long, and at most {DOCUMENT_BYTES_MAX} are evaluated")
    if _has_fraction(document):
        raise _refused("holds a fraction")
    return written


_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def _has_fraction(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_fraction, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_fraction, value))
    return isinstance(value, float)


def _refused(what: str) -> PolicyUnavailable:
    return PolicyUnavailable(f"The policy document {what}.")
