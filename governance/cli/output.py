"""What a command prints: a table for people, plain when it is not a terminal, or JSON that scripts can rely on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import typer


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


_GAP = "  "

Output = Annotated[Format, typer.Option("--output", "-o", help="How to print it.")]


def id_of(what: str, where: str) -> Any:  # noqa: ANN401  (a Typer argument)
    """An argument that is an id: of what, and where it is told to whoever has none."""

    def read(text: str) -> UUID:
        try:
            return UUID(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not the id of a {what}; {where}.") from None

    return typer.Argument(parser=read, metavar=what.upper(), help=f"The id of a {what}; {where}.")


def moment(text: str | None) -> str:
    """A time of the API to the second, as a table shows it; nothing for none."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if text else ""


def show(text: str = "", *, err: bool = False) -> None:
    """Print lines, on standard output or standard error."""
    for line in text.split("\n"):
        typer.echo(_flat(line), err=err)


def show_json(value: Any, *, err: bool = False) -> None:  # noqa: ANN401  (any JSON)
    """Print JSON, names in order."""
    typer.echo(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False), err=err)


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
        typer.echo(_GAP.join(cells).rstrip())


def _rich(columns: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> None:
    """As wide as the terminal, broken between words. What would break an id or a time becomes a block for each row."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, emoji=False)
    narrowest = [
        max(len(word) for cell in column for word in ["", *cell.split()]) for column in zip(columns, *rows, strict=True)
    ]
    if sum(narrowest) + len(_GAP) * (len(columns) - 1) > console.width:
        _blocks(columns, rows)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        words = any(" " in row[index] for row in rows)
        justify: Literal["left", "right"] = "right" if index in right else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=not words, min_width=narrowest[index])
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    width = max(len(column) for column in columns)
    for number, row in enumerate(rows):
        if number:
            typer.echo()
        for column, cell in zip(columns, row, strict=True):
            typer.echo(f"{column.ljust(width)}{_GAP}{cell}".rstrip())


def _flat(text: str) -> str:
    """One line, without control characters: what somebody wrote must not move the reader's cursor."""
    return "".join(char if char.isprintable() else " " for char in text)


def money(text: str) -> str:
    """An amount of money: to the cent, rounded half to even, with thousands apart. `--output json` has every digit."""
    return f"{Decimal(text).quantize(Decimal('0.01'), ROUND_HALF_EVEN):,}"
