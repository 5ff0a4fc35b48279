"""The policy files: read once, checked, and known by one digest.

A rule is a package `governance.rules.<name>` whose METADATA says what people see. Before anything is evaluated, each
rule must have it, hold its code as a literal, start at the moment that its METADATA names, and be listed by the
entrypoint; a rule file that is lost or added by mistake is found here, and again by the check that is then missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from governance.errors import BadInput
from governance.policy import calls
from governance.policy.model import Rule

ENTRYPOINT = "governance.admission"
RULES = "governance.rules."
FIELD = "policy.directory"

_METADATA = re.compile(r"^# METADATA\n((?:#.*\n)+)package ([a-z_.]+)$", re.MULTILINE)
_PACKAGE = re.compile(r"^package ([a-z_.]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Module:
    """One Rego file. `path` is relative to the folder of policies, with forward slashes."""

    path: str
    package: str
    text: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """The policies in force: their files, their rules by code, and the SHA-256 over all of it."""

    modules: tuple[Module, ...]
    rules: Mapping[str, Rule]
    digest: str


def packaged() -> Path:
    """The policies that come with this release: beside the package `governance`, in a checkout as in a wheel."""
    return Path(__file__).resolve().parents[2] / "policies"


def load(directory: Path | None = None) -> Bundle:
    """Read the policies of a folder, or the packaged ones. Tests beside them (`*_test.rego`) are left out.

    Raises:
        BadInput: the folder or a rule is not as it must be; names the file.
    """
    root = packaged() if directory is None else directory
    modules = tuple(_read(root, path) for path in sorted((root / "governance").rglob("*.rego")) if _in_force(path))
    functions = {(one.package, name) for one in modules for name in calls.functions(one.text)}
    for module in modules:
        refused = calls.refused(module.text, module.package, functions)
        if refused:
            raise _bad(module.path, f"calls {refused}, which policies may not.", "Use the facts of the document.")
    return Bundle(modules, _rules(modules), _digest(modules))


def _in_force(path: Path) -> bool:
    return not path.name.endswith("_test.rego")


def _read(root: Path, path: Path) -> Module:
    name = path.relative_to(root).as_posix()
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(name, f"cannot be read ({error}).", "Make it a readable UTF-8 text.") from None
    package = ".".join(Path(name).parts[:-1])
    if _PACKAGE.findall(text) != [package]:
        raise _bad(name, f"is not in package {package}.", "The folder is the package.")
    return Module(name, package, text)


def _digest(modules: Iterable[Module]) -> str:
    total = hashlib.sha256()
    for module in modules:
        content = module.text.encode()
        total.update(f"{module.path}\n{len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()


def _rules(modules: Iterable[Module]) -> dict[str, Rule]:
    """The rules by code. Raises BadInput unless they are exactly those that the entrypoint lists."""
    packages: dict[str, list[Module]] = {}
    for module in modules:
        packages.setdefault(module.package, []).append(module)
    if ENTRYPOINT not in packages:
        raise BadInput("There is no package governance.admission.", field=FIELD, remedy="Name a folder of policies.")
    listed = _metadata(packages[ENTRYPOINT])["custom"].get("rules", [])
    found = [_rule(package, files) for package, files in sorted(packages.items()) if package.startswith(RULES)]
    if sorted(listed) != sorted(rule.code for rule in found) or not found:
        raise _bad(
            packages[ENTRYPOINT][0].path,
            f"lists the rules {sorted(listed)}, and the rules are {sorted(rule.code for rule in found)}.",
            "Restore the rule, or list it.",
        )
    return {rule.code: rule for rule in found}


def _metadata(files: list[Module]) -> dict[str, Any]:
    """The METADATA of a package that has `custom`: a YAML block in the comment above `package`, in one of its files."""
    found = []
    for one in files:
        for match in _METADATA.finditer(one.text):
            try:
                metadata = yaml.safe_load(re.sub(r"^# ?", "", match[1], flags=re.MULTILINE))
            except yaml.YAMLError as error:
                raise _bad(one.path, f"has METADATA that is no YAML ({error}).", "Mend it.") from None
            if isinstance(metadata, dict) and isinstance(metadata.get("custom"), dict):
                found.append(metadata)
    if len(found) != 1:
        raise _bad(files[0].path, "has no METADATA with `custom` for its package, or several.", "See docs/policies.md.")
    return found[0]


def _rule(package: str, files: list[Module]) -> Rule:
    metadata = _metadata(files)
    custom, path = metadata["custom"], files[0].path
    texts = {name: metadata.get(name) for name in ("title", "description")}
    texts |= {name: custom.get(name) for name in ("code", "severity", "solution", "owner", "control")}
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise _bad(path, f"has METADATA without {name}.", "See docs/policies.md.")
    effective_on, exception = custom.get("effective_on"), custom.get("exception")
    if not isinstance(effective_on, date) or isinstance(effective_on, datetime) or not isinstance(exception, bool):
        raise _bad(path, "has no effective_on (a date) or exception (true, false).", "See docs/policies.md.")
    literals = [
        f'checks contains "{texts["code"]}" if',
        f'"code": "{texts["code"]}"',
        f"effective_s := {_midnight_s(effective_on)}\n",
    ]
    for literal in literals:
        if not any(literal in one.text for one in files):
            raise _bad(path, f"does not hold the literal `{literal.strip()}` ({package}).", "See docs/policies.md.")
    return Rule(
        **{name: str(text).strip() for name, text in texts.items()},
        effective_on=effective_on.isoformat(),
        exception=exception,
    )


def _midnight_s(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _bad(path: str, detail: str, remedy: str) -> BadInput:
    return BadInput(f"{path} {detail}", field=FIELD, remedy=remedy)
