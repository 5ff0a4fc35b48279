"""`governance billing`: bills in, and what charges cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from governance.cli import billing_months
from governance.cli.client import call, failure_of, upload
from governance.cli.exits import INVALID, Failed
from governance.cli.output import Format, Output, money, show, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Bills in, and what charges cost.")
importing = typer.Typer(no_args_is_help=True, help="Import the cost lines of a bill.")
app.add_typer(importing, name="import")
syncing = typer.Typer(no_args_is_help=True, help="Fetch the cost lines of a bill from a cloud.")
app.add_typer(syncing, name="sync")
app.add_typer(billing_months.invoices, name="invoice")
for _command in (
    billing_months.reconciliation,
    billing_months.explain,
    billing_months.months,
    billing_months.prepare,
    billing_months.close,
    billing_months.statement,
    billing_months.lines,
):
    app.command()(_command)

_CHUNK_BYTES = 1024 * 1024
_ASK_EVERY_S = 0.25


@importing.command("focus")
def import_focus(
    file: Annotated[Path, typer.Argument(help="A FOCUS file: CSV, plain or gzip.")],
    source: Annotated[str, typer.Option(help="Your own name for where it comes from: aws-main.")],
    output: Output = Format.TABLE,
) -> None:
    """Import a FOCUS file, all of it or nothing; what the same source told of the same months before is replaced."""
    try:
        size = file.stat().st_size
        content = file.open("rb")
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}.", INVALID) from None
    terminal = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bar = Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal)
    with content, bar:
        sending = bar.add_task("sending", total=size)
        asked = {"source": source, "file": file.name}
        job = upload("/billing/imports", _read(content, bar, sending), asked)["job"]
        result = _follow(job, bar)
    _show_imported(result, output)


@syncing.command("aws")
def sync_aws(
    bucket: Annotated[str, typer.Option(help="The bucket that the export is delivered to.")],
    prefix: Annotated[str, typer.Option(help="Down to the export's own name: cost/hospital-focus.")],
    source: Annotated[str, typer.Option(help="Your own name for where it comes from: aws-main.")],
    output: Output = Format.TABLE,
) -> None:
    """Import what is new in a FOCUS export of AWS on S3. The worker fetches it, with its own credentials."""
    terminal = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        asked = {"bucket": bucket, "prefix": prefix, "source": source}
        result = _follow(call("POST", "/billing/sync/aws", json=asked)["job"], bar)
    if output is Format.TABLE and not result["periods"]:
        show(f"Nothing is new: {result['unchanged']} months are in force already.")
        return
    _show_imported(result, output)


def _show_imported(result: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        show_json(result)
        return
    show_table(
        ("month", "lines", "currency", "billed", "effective", ""),
        [
            (
                one["period"],
                f"{one['lines']:,}",
                currency,
                money(amounts["billed"]),
                money(amounts["effective"]),
                "in force" if one["changed"] else "in force already",
            )
            for one in result["periods"]
            for currency, amounts in one["totals"].items()
        ],
        right=frozenset({1, 3, 4}),
    )


@app.command()
def allocate(month: Annotated[str, typer.Argument(help="A month: 2026-11.")]) -> None:
    """Settle and allocate a month anew, by the rules in force."""
    terminal = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        result = _follow(call("POST", f"/billing/months/{month}/allocate")["job"], bar)
    show(f"Allocated anew: {', '.join(result['changed'])}." if result["changed"] else "Nothing is other than it was.")


@app.command()
def settlement(
    node: Annotated[str, typer.Argument(help="A department's or project's name.")],
    month: Annotated[str, typer.Argument(help="A month: 2026-11.")],
    output: Output = Format.TABLE,
) -> None:
    """Show what each charge of a month was foretold to cost, what it cost, and by whose decision it came to be."""
    found = call("GET", "/billing/settlements", params={"node": node, "month": month})
    if output is Format.JSON:
        show_json(found)
        return
    if not found:
        show(f"Nothing of {node} was settled in {month}.")
        return
    show_table(
        ("charge", "machine", "", "estimate", "actual", "difference", "billed through", "decision", "asked by"),
        [
            (
                one["name"],
                one["machine"] or "-",
                one["currency"],
                money(one["estimate"]),
                money(one["actual"]) if one["lines"] else "-",
                money(one["difference"]) if one["lines"] else "-",
                one["billed_through"][:10] if one["billed_through"] else "not billed",
                one["decision"] or "-",
                one["asked_by"] or "-",
            )
            for one in found
        ],
        right=frozenset({3, 4, 5}),
    )


def _read(content: BinaryIO, bar: Progress, task: Any) -> Iterator[bytes]:  # noqa: ANN401  (rich's own type)
    while chunk := content.read(_CHUNK_BYTES):
        yield chunk
        bar.advance(task, len(chunk))


def _follow(job: str, bar: Progress) -> dict[str, Any]:
    """Follow a job until it ends; its result. Raises Failed with what the job says."""
    task = bar.add_task("waiting", total=None)
    while True:
        found = call("GET", f"/jobs/{job}")
        if found["problem"]:
            raise failure_of(found["problem"])
        if found["ended_at"]:
            result: dict[str, Any] = found["result"]
            return result
        bar.update(task, description=found["phase"], completed=found["done"], total=found["total"] or None)
        time.sleep(_ASK_EVERY_S)
