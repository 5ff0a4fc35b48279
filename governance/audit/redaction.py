"""What never enters an audit event: secrets. What a value must be to enter one: plain JSON, bounded, no floats."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Any
from uuid import UUID

from governance.audit.chain import canonical, instant

REDACTED = "[redacted]"
BYTES_MAX = 64 * 1024
_DEPTH_MAX = 32

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "tokens", "credential", "credentials"}
    | {"authorization", "cookie", "verifier", "apikey", "privatekey", "accesskey"}
)
_SECRET_PAIRS = frozenset({("api", "key"), ("private", "key"), ("access", "key"), ("signing", "key")})
_NAMES_ONE = frozenset({"name", "names", "id", "ids", "ref", "hash", "digest", "kind", "type", "at", "count"})
_SECRET_TEXTS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\bgov_[A-Za-z0-9_-]{16,}"),  # our own API tokens
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),  # JSON Web Tokens
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),  # user:password@host
    re.compile(r"(?i)(?<=\bbearer )[A-Za-z0-9._~+/=-]{8,}"),
)
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL stores no NUL, UTF-8 no lone surrogate


def clean(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The value as an event may keep it: secrets redacted, plain JSON; above 64 KiB only its size and SHA-256.

    Redacted is what stands under a name that speaks of a secret, the value of an environment variable, the data of a
    Kubernetes Secret, and any text that looks like a key, a token or a password in a URL.
    """
    if value is None:
        return None
    plain: dict[str, Any] = _clean_object(value, 0)
    size = len(json.dumps(plain))
    if size <= BYTES_MAX:
        return plain
    return {"too_large": True, "bytes": size, "sha256": hashlib.sha256(canonical(plain)).hexdigest()}


def clean_text(text: str) -> str:
    """The text without what looks like a secret, and without characters that cannot be stored."""
    for pattern in _SECRET_TEXTS:
        text = pattern.sub(REDACTED, text)
    return _NOT_STORABLE.sub("�", text)


def speaks_of_a_secret(name: str) -> bool:
    """Whether a field of this name is a secret itself (`clientSecret`), not a reference to one (`secretName`)."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[0] == "count" or words[-1] in _NAMES_ONE:
        return False
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    return any(pair in _SECRET_PAIRS for pair in pairwise(words))


def _clean_object(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    is_secret = value.get("kind") == "Secret"
    return {
        clean_text(str(name)): _clean_field(str(name), one, depth, hidden=is_secret and name in {"data", "stringData"})
        for name, one in value.items()
    }


def _clean_field(name: str, value: Any, depth: int, *, hidden: bool) -> Any:  # noqa: ANN401  (any JSON)
    if value is None or isinstance(value, bool):
        return value
    if hidden or speaks_of_a_secret(name):
        return REDACTED
    if name == "env" and isinstance(value, Mapping):
        return {clean_text(str(variable)): REDACTED for variable in value}
    if name == "env" and isinstance(value, list | tuple):
        return [_clean_variable(one, depth + 1) for one in value]
    return _clean_any(value, depth + 1)


def _clean_variable(value: Any, depth: int) -> Any:  # noqa: ANN401
    if not isinstance(value, Mapping):
        return REDACTED
    plain = _clean_object(value, depth)
    return {**plain, "value": REDACTED} if "value" in plain else plain


def _clean_any(value: Any, depth: int) -> Any:  # noqa: ANN401
    if depth > _DEPTH_MAX:
        return "[too deep]"
    if isinstance(value, Mapping):
        return _clean_object(value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        ordered = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [_clean_any(one, depth + 1) for one in ordered]
    if value is None or isinstance(value, bool | int):
        return value
    return clean_text(_as_text(value))


def _as_text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, datetime):
        return instant(value) if value.tzinfo else value.isoformat()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str | UUID | Decimal | float | date):
        return str(value)
    return type(value).__name__  # an unforeseen object is named, never shown: its repr could hold anything
