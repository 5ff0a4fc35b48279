"""The difference between a wanted configuration and the one in force. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from governance.configuration.model import Difference, FieldChange, Manifests, Plan

_ORDER = {"create": 0, "update": 1, "delete": 2}


def plan(wanted: Manifests, in_force: Mapping[tuple[str, str], dict[str, Any]], base: int) -> Plan:
    """What applying `wanted` would do.

    Args:
        wanted: the whole configuration; what it leaves out is deleted.
        in_force: canonical specs by kind and name, as the revision `base` left them.
        base: number of that revision; 0 when nothing was applied yet.
    """
    differences: list[Difference] = []
    for kind, name in sorted(wanted.keys() | in_force.keys()):
        key = (kind, name)
        before, after = in_force.get(key), wanted[key].canonical if key in wanted else None
        if before is None:
            differences.append(Difference("create", kind, name, _fields({}, after or {})))
        elif after is None:
            differences.append(Difference("delete", kind, name, _fields(before, {})))
        elif before != after:
            differences.append(Difference("update", kind, name, _fields(before, after)))
    differences.sort(key=lambda one: (_ORDER[one.action], one.kind, one.name))
    unchanged = len(wanted) - sum(one.action != "delete" for one in differences)
    return Plan(base, wanted.digest(), tuple(differences), unchanged)


def _fields(before: dict[str, Any], after: dict[str, Any]) -> tuple[FieldChange, ...]:
    old, new = dict(_flat("", before)), dict(_flat("", after))
    return tuple(
        FieldChange(field, old.get(field), new.get(field))
        for field in sorted(old.keys() | new.keys())
        if old.get(field) != new.get(field)
    )


def _flat(prefix: str, value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        path = f"{prefix}.{name}" if prefix else name
        if isinstance(inner, dict) and inner:
            yield from _flat(path, inner)
        else:
            yield path, inner
