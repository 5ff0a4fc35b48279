"""YAML documents with the line of every field, within limits.

The core schema of YAML 1.2 (section 10.3.2) is read: `no`, `on` and dates are text. Anchors, aliases, tags, merge keys
and duplicate keys are refused: they let a file mean something else than it shows, or grow without bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from governance.configuration.model import Path, Problem, SourceFile, dotted

FILE_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 16
NODES_MAX = 100_000
NUMBER_LENGTH_MAX = 64

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None} | {
    form: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for form in (word, word.capitalize(), word.upper())
}
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(slots=True)
class Document:
    """One document: its value (of dict, list, str, int, Decimal, bool, None) and the line of each field."""

    file: str
    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)


class _Refused(Exception):
    """The file cannot be read further."""

    def __init__(self, line: int, where: Path, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.line, self.where, self.detail, self.remedy = line, where, detail, remedy


@dataclass(slots=True)
class _Open:
    """A mapping or a sequence that is not closed yet."""

    path: Path
    value: dict[str, Any] | list[Any]
    key: str | None = None  # of a mapping: the key whose value comes next


def read_documents(source: SourceFile) -> tuple[list[Document], list[Problem]]:
    """Read a YAML file.

    Returns:
        its documents, empty ones left out, and what is wrong with it: duplicate keys, and the first thing that makes
        the rest unreadable (syntax, encoding, size, depth, an alias, a tag).
    """
    problems: list[Problem] = []
    documents: list[Document] = []
    try:
        documents.extend(_compose(source.name, _events(source), problems))
    except _Refused as refused:
        problems.append(Problem(source.name, refused.line, dotted(refused.where), refused.detail, refused.remedy))
    return documents, problems


def _events(source: SourceFile) -> Iterator[Event]:
    if len(source.content) > FILE_BYTES_MAX:
        raise _Refused(0, (), f"The file is larger than {FILE_BYTES_MAX} bytes.", "Split it.")
    try:
        text = source.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.content[: error.start].count(b"\n") + 1
        raise _Refused(line, (), "The file is not UTF-8.", "Save it as UTF-8.") from None
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        tabs = "\t" in _line(text, line)
        remedy = "Indent with spaces, not tabs." if tabs else "Check the indentation and the quotes around it."
        raise _Refused(line, (), f"This is not YAML: {error.problem}.", remedy) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise _Refused(line, (), "There is a control character in the file.", "Remove it.") from None


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _compose(file: str, events: Iterable[Event], problems: list[Problem]) -> Iterator[Document]:
    document, stack, nodes = Document(file), list[_Open](), 0
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, DocumentStartEvent):
            document = Document(file)
        elif isinstance(event, DocumentEndEvent):
            if document.value is not None:
                yield document
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            stack.pop()
        elif isinstance(event, AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent):
            nodes += 1
            if nodes > NODES_MAX:
                raise _Refused(line, (), f"The file holds more than {NODES_MAX} values.", "Split it.")
            _take(document, stack, event, line, problems)


def _take(document: Document, stack: list[_Open], event: Event, line: int, problems: list[Problem]) -> None:
    where = _next_path(stack)
    _refuse_unless_plain(event, line, where)
    top = stack[-1] if stack else None
    if top is not None and isinstance(top.value, dict) and top.key is None:
        top.key = _key(document, top, event, line, problems)
        return
    value: Any
    if isinstance(event, ScalarEvent):
        value = _scalar(event, line, where)
    else:
        value = {} if isinstance(event, MappingStartEvent) else []
        if len(stack) >= DEPTH_MAX:
            raise _Refused(line, where, f"This is nested more than {DEPTH_MAX} levels deep.", "Flatten it.")
        stack.append(_Open(where, value))
    document.lines.setdefault(where, line)
    if top is None:
        document.value = value
    elif isinstance(top.value, list):
        top.value.append(value)
    else:
        top.value[str(top.key)], top.key = value, None


def _next_path(stack: list[_Open]) -> Path:
    if not stack:
        return ()
    top = stack[-1]
    if isinstance(top.value, list):
        return (*top.path, len(top.value))
    return (*top.path, top.key) if top.key is not None else top.path


def _refuse_unless_plain(event: Event, line: int, where: Path) -> None:
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
        raise _Refused(line, where, "Anchors and aliases are not allowed.", "Write the value out.")
    if getattr(event, "tag", None):
        raise _Refused(line, where, f"The tag {event.tag} is not allowed.", "Write a plain value.")  # type: ignore[attr-defined]  # looked up above


def _key(document: Document, top: _Open, event: Event, line: int, problems: list[Problem]) -> str:
    if not isinstance(event, ScalarEvent):
        raise _Refused(line, top.path, "A key must be text.", "Write it as `name: value`.")
    key: str = event.value
    path = (*top.path, key)
    if key in top.value:
        first = document.lines[path]
        problems.append(
            Problem(document.file, line, dotted(path), f"The key stands twice, first in line {first}.", "Remove one.")
        )
    document.lines.setdefault(path, line)
    return key


def _scalar(event: ScalarEvent, line: int, where: Path) -> str | int | Decimal | bool | None:
    text: str = event.value
    if event.style:  # quoted, or a block: text as it stands
        return text
    if text in _WORDS:
        return _WORDS[text]
    if not _FLOAT.fullmatch(text):
        return text
    if len(text) > NUMBER_LENGTH_MAX:
        raise _Refused(line, where, f"The number is longer than {NUMBER_LENGTH_MAX} digits.", "Shorten it.")
    return int(text) if _INTEGER.fullmatch(text) else Decimal(text)
