"""FOCUS as a file: read whole, or refused whole with every problem by line and column."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from ibis.expr.types import Table

from billing import engine
from billing.columns import COLUMNS, FORMS, Column
from billing.store import Store
from governance.jobs.work import Refused

PROBLEMS_MAX = 1000
_WHOLE = "Send the file as the provider made it."
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Part:
    """The lines of one billing period: a file in the store, and what it holds."""

    period: str
    file: str
    lines: int
    totals: Mapping[str, Mapping[str, Decimal]]  # currency: billed, effective


@dataclass(frozen=True, slots=True)
class Sent:
    """A file of lines, and what it is called where it came from."""

    file: Path
    name: str


def read(store: Store, *files: Sent) -> tuple[Part, ...]:
    """Read FOCUS files (CSV, plain or gzip, or Parquet) into the store as one whole, a part for each billing period.

    Raises:
        Refused: what is wrong with the first bad one, all of it (at most 1,000 problems); nothing is kept.
        StoreUnavailable: the store cannot be written.
    """
    backend = engine.connect()
    try:
        before = 0
        each: list[Table] = []
        for sent in files:
            lines, count = _lines(backend, sent, before)
            each.append(lines)
            before += count
        return tuple(_parts(backend, store, engine.together(each)))
    finally:
        backend.disconnect()


def _lines(backend: engine.Backend, sent: Sent, before: int) -> tuple[Table, int]:
    """The lines of one file, numbered on from those before it, and how many there are. Raises Refused."""
    try:
        rows = engine.read_text(backend, sent.file)
        names = _names(rows, sent.name)
        _refuse_values(rows, names, sent)
        lines = engine.typed(rows, names)
        _refuse_periods(lines, sent)
        return lines.mutate(line=lines.line + before), engine.count(rows)
    except engine.EngineError as error:
        why = str(error).split("\n")[0][:300]
        raise _refused(sent.name, [_problem(sent.name, 0, "", f"it cannot be read: {why}", _WHOLE)], 1) from None


def _names(rows: Table, name: str) -> dict[str, str]:
    """What the file calls each column of ours that it has. Raises Refused where it lacks one that it must have."""
    there = set(rows.columns)
    found = {
        column.name: next(one for one in (column.name, *column.others) if one in there)
        for column in COLUMNS
        if not there.isdisjoint((column.name, *column.others))
    }
    missing = [one.name for one in COLUMNS if one.required and one.name not in found]
    if missing:
        problems = [_problem(name, 1, one, "the column is missing", _WHOLE) for one in missing]
        raise _refused(name, problems, len(problems))
    return found


def _refuse_values(rows: Table, names: Mapping[str, str], sent: Sent) -> None:
    columns = [one for one in COLUMNS if one.name in names]
    checks = {one.name: engine.is_wrong(one, rows[names[one.name]]) for one in columns}
    wrong = {field: condition for field, condition in checks.items() if condition is not None}
    counts = engine.count_where(rows, wrong)
    found: list[tuple[int, str, str, str]] = []
    for column in columns:
        if counts.get(column.name):
            bad = rows.filter(wrong[column.name]).select("row", value=rows[names[column.name]])
            told = bad.order_by("row").limit(PROBLEMS_MAX).to_pyarrow().to_pylist()
            found += [(one["row"], column.name, *_why(column, one["value"])) for one in told]
    _refuse(found, sum(counts.values()), sent)


def _refuse_periods(lines: Table, sent: Sent) -> None:
    wrong = engine.wrong_periods(lines)
    counts = engine.count_where(lines, {field: condition for field, (condition, _, _) in wrong.items()})
    found: list[tuple[int, str, str, str]] = []
    for field, (condition, detail, remedy) in wrong.items():
        if counts[field]:
            told = lines.filter(condition).select("line").order_by("line").limit(PROBLEMS_MAX).to_pyarrow().to_pylist()
            found += [(one["line"], field, detail, remedy) for one in told]
    _refuse(found, sum(counts.values()), sent)


def _refuse(found: list[tuple[int, str, str, str]], count: int, sent: Sent) -> None:
    if count:
        first = sorted(found)[:PROBLEMS_MAX]
        rows = {row for row, *_ in first}
        lines = {row: row for row in rows} if engine.is_parquet(sent.file) else _lines_of(sent.file, rows)
        raise _refused(sent.name, [_problem(sent.name, lines[row], *what) for row, *what in first], count)


def _why(column: Column, value: str | None) -> tuple[str, str]:
    if value is None:
        return "it is empty", "Every line must have one."
    shown = repr(value[:40])
    if column.name == "BillingCurrency":
        return f"{shown} is not a currency", "Use an ISO 4217 code such as EUR."
    if column.kind == "tags":
        return f"{shown} is not a JSON object with each name once", 'Write tags as {"name": "value"}.'
    what, example = FORMS[column.kind]
    return f"{shown} is not {what}", f"Write it like {example}."


def _refused(name: str, problems: list[dict[str, Any]], count: int) -> Refused:
    more = f", the first {len(problems)} of them here" if count > len(problems) else ""
    told = f"{name} has {count} problem{'s' if count > 1 else ''}{more}; nothing was imported."
    return Refused(told, problems, remedy="Correct the file, or have the provider send it anew.")


def _problem(name: str, line: int, field: str, detail: str, remedy: str) -> dict[str, Any]:
    return {"file": name, "line": line, "field": field, "detail": f"{detail}.", "remedy": remedy}


def _lines_of(file: Path, rows: set[int]) -> dict[int, int]:
    """On which line of the file each of these rows begins: a value in quotes may hold line breaks."""
    found: dict[int, int] = {}
    with _opened(file) as text:
        reader = csv.reader(text)
        begins = 1
        for row, _ in enumerate(reader):  # the header is row 0
            if row in rows:
                found[row] = begins
                if len(found) == len(rows):
                    break
            begins = reader.line_num + 1
    return found


def _opened(file: Path) -> TextIO:
    with file.open("rb") as start:
        packed = start.read(2) == _GZIP
    return gzip.open(file, "rt", newline="") if packed else file.open(newline="")


def _parts(backend: engine.Backend, store: Store, lines: Table) -> Iterator[Part]:
    for period, totals in engine.totals(lines).items():
        with store.room() as place:
            engine.write(lines, period, place)
            kept = store.keep(place)
        count = engine.count(engine.read_lines(backend, [store.file(kept)]))
        yield Part(period, kept, count, totals)
