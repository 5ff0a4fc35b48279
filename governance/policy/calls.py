"""What a policy may call. Pure.

An allow-list: the built-ins that both engines have, that need no clock, network or chance, and answer the same for the
same input. `http.send`, `time.now_ns`, `opa.runtime`, `rand.intn`, `rego.metadata.*` are refused as everything else is.
OPA's own check holds the same list (policies/capabilities.json); this one also guards policies that OPA never checked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

ALLOWED = frozenset(
    {"concat", "count", "floor", "is_array", "is_boolean", "is_number", "is_object", "is_string", "object.get", "sum"}
)

_KEYWORDS = frozenset({"if", "in", "not", "some", "every", "contains", "as", "else", "default", "import", "package"})
_OPAQUE = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*')
_HEAD = re.compile(r"^([a-z_]\w*)\(", re.MULTILINE)
_IMPORT = re.compile(r"^import data\.([\w.]+)(?: as (\w+))?$", re.MULTILINE)
_CALL = re.compile(r"([A-Za-z_][\w.]*)\s*\(")
_UNREADABLE = re.compile(r'\$["`]|[\])}"]\s*\(|\bwith\b|\.\s+\w|\s\.\w')


def functions(text: str) -> Iterator[str]:
    """The names of the functions that a module defines."""
    yield from (match[1] for match in _HEAD.finditer(_visible(text)))


def refused(text: str, package: str, known: Collection[tuple[str, str]]) -> str:
    """What a module calls and may not; empty where there is nothing.

    Args:
        text: the module.
        package: its package.
        known: the functions of all modules, as (package, name).
    """
    odd = _UNREADABLE.search(_visible(text, keep_quotes=True))
    if odd:
        return f"something by `{odd[0].strip()}`"
    visible = _visible(text)
    aliases = {match[2] or match[1].rpartition(".")[2]: match[1] for match in _IMPORT.finditer(visible)}
    for match in _CALL.finditer(visible):
        name = match[1]
        if name in _KEYWORDS | ALLOWED or (package, name) in known:
            continue
        alias, _, function = name.rpartition(".")
        if (aliases.get(alias), function) not in known:
            return name
    return ""


def _visible(text: str, *, keep_quotes: bool = False) -> str:
    """The text without comments and without what strings hold."""
    return _OPAQUE.sub('""' if keep_quotes else "", text)
