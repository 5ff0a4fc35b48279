"""Files to manifests. Every problem of every file is found in one run; nothing is applied when there is one."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from governance.configuration.document import FILE_BYTES_MAX, Document, read_documents
from governance.configuration.model import API_VERSION, Manifest, Manifests, Path, Problem, SourceFile, dotted
from governance.configuration.specs import FreezeCalendar, Shape, Spec, is_name

FILES_MAX = 1000
_MANIFEST_ENDS = (".yaml", ".yml")
_CALENDAR_END = ".ics"
_SHOWN_MAX = 60
_TYPES = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def parse(files: Sequence[SourceFile], specs: Mapping[str, type[Spec]]) -> tuple[Manifests, list[Problem]]:
    """Read the files of one configuration.

    Args:
        files: `.yaml` and `.yml` files hold manifests; `.ics` files are calendars that a FreezeCalendar names.
        specs: the kinds that are known, by name.

    Returns:
        the manifests that could be read, and everything that is wrong, each problem with file, line and field.
    """
    problems: list[Problem] = []
    calendars = {posixpath.normpath(one.name): one for one in files if one.name.endswith(_CALENDAR_END)}
    found: dict[tuple[str, str], Manifest] = {}
    if len(files) > FILES_MAX:
        return Manifests(), [Problem(files[FILES_MAX].name, 0, "", f"There are more than {FILES_MAX} files.")]
    for file in files:
        if not file.name.endswith((*_MANIFEST_ENDS, _CALENDAR_END)):
            problems.append(Problem(file.name, 0, "", "This is neither YAML nor a calendar.", "Name it .yaml or .ics."))
        if not file.name.endswith(_MANIFEST_ENDS):
            continue
        documents, unreadable = read_documents(file)
        problems += unreadable
        for document in documents:
            manifest = _manifest(document, specs, calendars, problems.append)
            if manifest is not None:
                _add(found, manifest, problems.append)
    return Manifests(found.values()), problems


def _add(found: dict[tuple[str, str], Manifest], manifest: Manifest, say: Callable[[Problem], None]) -> None:
    first = found.setdefault((manifest.kind, manifest.name), manifest)
    if first is not manifest:
        line, where = manifest.line_of(("metadata", "name")), f"{manifest.kind}/{manifest.name} metadata.name"
        detail = f"{manifest.kind} {manifest.name} stands twice, first in {first.file}:{first.line_of(())}."
        say(Problem(manifest.file, line, where, detail, "Remove one."))


def _manifest(
    document: Document,
    specs: Mapping[str, type[Spec]],
    calendars: Mapping[str, SourceFile],
    say: Callable[[Problem], None],
) -> Manifest | None:
    value = document.value
    if not isinstance(value, dict):
        say(_problem(document, (), "A manifest is a mapping with apiVersion, kind, metadata and spec."))
        return None
    kind, name = _header(document, value, specs, say)
    if kind is None:
        return None
    try:
        spec = specs[kind].model_validate(value.get("spec", {}))
    except ValidationError as error:
        named = f"{kind}/{name} " if name else f"{kind} "
        for one in error.errors(include_url=False, include_context=True):
            say(_spec_problem(document, named, specs[kind], one))
        return None
    if name is None:
        return None
    manifest = Manifest(kind, name, spec, {}, document.file, document.lines)
    wrong = [manifest.problem(path, detail, remedy) for path, detail, remedy in spec.problems()]
    if not wrong and isinstance(spec, FreezeCalendar) and spec.file is not None:
        spec, wrong = _with_calendar(manifest, spec, calendars)
    for problem in wrong:
        say(problem)
    return None if wrong else Manifest(kind, name, spec, spec.canonical(), document.file, document.lines)


def _header(
    document: Document, value: dict[str, Any], specs: Mapping[str, type[Spec]], say: Callable[[Problem], None]
) -> tuple[str | None, str | None]:
    for key in value:
        if key not in {"apiVersion", "kind", "metadata", "spec"}:
            say(_problem(document, (key,), "Unknown field.", _suggest(key, ["apiVersion", "kind", "metadata", "spec"])))
    if value.get("apiVersion") != API_VERSION:
        found = f"{_show(value['apiVersion'])} is not known" if "apiVersion" in value else "It is missing"
        say(_problem(document, ("apiVersion",), f"{found}.", f"Write apiVersion: {API_VERSION}."))
    kind: str | None = value.get("kind") if isinstance(value.get("kind"), str) else None
    if kind not in specs:
        detail = f"{_show(value['kind'])} is not a kind of manifest." if "kind" in value else "It is missing."
        say(_problem(document, ("kind",), detail, _suggest(kind or "", list(specs)) or f"Kinds: {', '.join(specs)}."))
        kind = None
    return kind, _name(document, value.get("metadata"), say)


def _name(document: Document, metadata: object, say: Callable[[Problem], None]) -> str | None:
    if not isinstance(metadata, dict):
        say(_problem(document, ("metadata",), "It must be a mapping with a name.", "Write metadata: {name: ...}."))
        return None
    for key in metadata:
        if key != "name":
            say(_problem(document, ("metadata", key), "Unknown field.", _suggest(key, ["name"])))
    name = metadata.get("name")
    if not isinstance(name, str) or not is_name(name):
        remedy = "Use lower-case letters, digits, - and ., at most 63 characters."
        say(_problem(document, ("metadata", "name"), f"{_show(name)} is not a name.", remedy))
        return None
    return name


def _with_calendar(
    manifest: Manifest, spec: FreezeCalendar, calendars: Mapping[str, SourceFile]
) -> tuple[FreezeCalendar, list[Problem]]:
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(manifest.file), spec.file or ""))
    file = calendars.get(wanted)
    if file is None:
        remedy = "Put an .ics file there; it is looked for beside the manifest."
        return spec, [manifest.problem(("file",), f"There is no file {wanted} among those given.", remedy)]
    if len(file.content) > FILE_BYTES_MAX:
        return spec, [Problem(file.name, 0, "", f"The file is larger than {FILE_BYTES_MAX} bytes.")]
    try:
        text = file.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.content[: error.start].count(b"\n") + 1
        return spec, [Problem(file.name, line, "", "The file is not UTF-8.", "Save it as UTF-8.")]
    return spec.model_copy(update={"file": None, "calendar": text}), []


def _spec_problem(document: Document, named: str, spec: type[Spec], error: ErrorDetails) -> Problem:
    path: Path = ("spec", *(part for part in error["loc"] if part != "[key]"))
    line = next(document.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in document.lines)
    detail, remedy = _sentence(spec, error)
    return Problem(document.file, line, named + dotted(path), detail, remedy)


def _sentence(spec: type[Spec], error: ErrorDetails) -> tuple[str, str]:
    kind, value = error["type"], error.get("input")
    if kind == "missing":
        return "It is missing.", "Add it."
    if kind == "extra_forbidden":
        return "Unknown field.", _suggest(str(error["loc"][-1]), _fields_at(spec, error["loc"][:-1]))
    if kind == "refused":
        return error["msg"], ""
    if kind in _WANTED:
        quotes = kind == "string_type" and not isinstance(value, dict | list | type(None))
        return f"It must be {_WANTED[kind]}, and is {_what(value)}.", "Put it in quotes." if quotes else ""
    return f"{_show(value)}: {error['msg']}.", ""


def _fields_at(shape: type[Shape], path: Sequence[str | int]) -> list[str]:
    """The fields that the shape at this path knows."""
    current: type[Shape] = shape
    for part in path:
        if isinstance(part, str):
            fields = {field.alias: field.annotation for field in current.model_fields.values()}
            inner = next(iter(_shapes_in(fields.get(part))), None)
            if inner is None:
                return []
            current = inner
    return [field.alias or name for name, field in current.model_fields.items()]


def _shapes_in(annotation: Any) -> Iterator[type[Shape]]:  # noqa: ANN401  (any annotation)
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _shapes_in(argument)


def _suggest(given: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(given, known, 1, 0.5)
    if not close:
        by_case = {one.lower(): one for one in known}
        close = [by_case[given.lower()]] if given.lower() in by_case else []
    return f"Did you mean {close[0]}?" if close else ""


def _problem(document: Document, path: Path, detail: str, remedy: str = "") -> Problem:
    line = next((document.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in document.lines), 0)
    return Problem(document.file, line, dotted(path), detail, remedy)


def _what(value: object) -> str:
    return _TYPES.get(type(value), "a number")


def _show(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"
