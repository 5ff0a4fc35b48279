"""What a command prints: a table for people, plain when it is not a terminal, or JSON that scripts can rely on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


Output = Annotated[Format, typer.Option("--output", "-o", help="How to print it.")]


def show(text: str = "", *, err: bool = False) -> None:
    """Print lines, on standard output or standard error."""
    for line in text.split("\n"):
        typer.echo(_flat(line), err=err)


def show_json(value: Any) -> None:  # noqa: ANN401  (any JSON)
    """Print JSON, names in order."""
    typer.echo(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> None:
    """Print a table. `right`: columns that are aligned to the right, as numbers are."""
    found = [tuple(_flat(cell) for cell in row) for row in rows]
    if sys.stdout.isatty():
        _rich(columns, found, right)
        return
    lines = [tuple(column.upper() for column in columns), *found]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        cells = (
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        typer.echo("  ".join(cells).rstrip())


def _rich(columns: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    Console().print(table)


def _flat(text: str) -> str:
    """One line, without control characters: what somebody wrote must not move the reader's cursor."""
    return "".join(char if char.isprintable() else " " for char in text)
