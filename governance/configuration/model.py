"""Values of the configuration: manifests, problems with their place, plans. Pure.

A manifest is a YAML document `apiVersion: governance.io/v1`, `kind`, `metadata.name`, `spec`. The manifests of one
apply are the whole configuration: what is not among them is deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import orjson

from governance.configuration.specs import Spec
from governance.errors import BadInput

API_VERSION = "governance.io/v1"

Path = tuple[str | int, ...]
Action = Literal["create", "update", "delete"]
S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was sent: its name relative to the folder, and its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a file, where, and what to do about it."""

    file: str
    line: int
    field: str
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        parts = [f"{part}:" for part in (where, self.field) if part]
        return " ".join([*parts, self.detail, *([self.remedy] if self.remedy else [])])


class InvalidConfiguration(BadInput):
    """The files are refused whole; `problems` names every one, in the order of files and lines."""

    title = "Invalid configuration"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        first, count = self.problems[0], len(self.problems)
        more = f" ({count - 1} more problem{'s' if count > 2 else ''}.)" if count > 1 else ""
        super().__init__(f"{first}{more}", remedy="Nothing was applied.")


def dotted(path: Path) -> str:
    """A path as people write it: `spec.roles[0].at`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest: its values, its canonical form (what is stored and compared), and where each field stands."""

    kind: str
    name: str
    spec: Spec
    canonical: dict[str, Any]
    file: str = ""
    lines: Mapping[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """The line of a field, or of the nearest field around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def problem(self, path: Path, detail: str, remedy: str = "") -> Problem:
        """A problem at a field of the spec."""
        full: Path = ("spec", *path)
        return Problem(self.file, self.line_of(full), f"{self.kind}/{self.name} {dotted(full)}", detail, remedy)


class Manifests(Mapping[tuple[str, str], Manifest]):
    """The whole configuration, by kind and name."""

    __slots__ = ("_all",)

    def __init__(self, manifests: Iterable[Manifest] = ()) -> None:
        self._all = {(one.kind, one.name): one for one in manifests}

    def __getitem__(self, key: tuple[str, str]) -> Manifest:
        return self._all[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def of(self, spec: type[S]) -> dict[str, tuple[Manifest, S]]:
        """The manifests with this type of spec, by name, each with its spec."""
        return {name: (one, one.spec) for (_, name), one in self._all.items() if isinstance(one.spec, spec)}

    def specs(self, spec: type[S]) -> dict[str, S]:
        """The specs of this type by name."""
        return {name: one.spec for (_, name), one in self._all.items() if isinstance(one.spec, spec)}

    def digest(self) -> str:
        """SHA-256 over the canonical set: equal for equal configurations, whatever files they came in."""
        items = [[kind, name, self._all[kind, name].canonical] for kind, name in sorted(self._all)]
        return hashlib.sha256(orjson.dumps(items, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field's value before and after; None where there was or is none."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """What an apply would do to one manifest."""

    action: Action
    kind: str
    name: str
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply of these files would do, made against the revision `base` (0: nothing was applied yet)."""

    base: int
    digest: str
    differences: tuple[Difference, ...]
    unchanged: int

    @property
    def deletes(self) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.action == "delete")

    @property
    def empty(self) -> bool:
        return not self.differences


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did: `revision` is the new one, or the one in force when nothing changes."""

    plan: Plan
    revision: int
