"""The document on its way to an engine: the same exact JSON for each of them. Pure.

What an engine would round, cut or read differently from another is refused here: fractions (no fact has one), numbers
beyond what OPA holds exactly, text that is not Unicode, and documents that would keep an engine busy beyond a deadline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from governance.errors import PolicyUnavailable

DOCUMENT_BYTES_MAX = 256 * 1024
NUMBER_MAX = 2**64 - 1  # OPA computes with 64 bits of mantissa (math/big.Float)


def encode(document: Mapping[str, Any]) -> str:
    """The document as JSON text.

    Raises:
        PolicyUnavailable: it cannot be put to an engine as it is.
    """
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
        json.loads(text, parse_int=_whole, parse_float=_fraction)
    except (TypeError, ValueError, RecursionError) as error:
        raise _refused(f"holds what JSON does not ({error})") from None
    if size > DOCUMENT_BYTES_MAX:
        raise _refused(f"is {size} bytes long, and at most {DOCUMENT_BYTES_MAX} are evaluated")
    return text


def _whole(digits: str) -> int:
    value = int(digits)
    if abs(value) > NUMBER_MAX:
        raise _refused(f"holds {digits}, beyond 64 bits")
    return value


def _fraction(digits: str) -> NoReturn:
    raise _refused(f"holds the fraction {digits}")


def _refused(what: str) -> PolicyUnavailable:
    return PolicyUnavailable(f"The policy document {what}.")
