"""`governance audit`: take the log away, and prove that nobody changed it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from governance.cli.exits import INVALID, Failed
from governance.cli.output import Format, Output, show, show_json

app = typer.Typer(no_args_is_help=True, help="Take the audit log away, and prove that nobody changed it.")


@app.command()
def export(path: Annotated[Path, typer.Argument(help="The file to write.")]) -> None:
    """Write the whole sealed log to a file, over the API."""
    from governance.cli.client import download

    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            for part in download("/audit/export"):
                file.write(part)
        beside.replace(path)
    except OSError as error:
        raise Failed(f"{path} cannot be written ({error.strerror}).", INVALID) from None
    finally:
        beside.unlink(missing_ok=True)
    show(f"{path}")


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="An export.")],
    key: Annotated[list[Path], typer.Option(help="Public key (PEM) of the signer; several after a change of key.")],
    heads: Annotated[
        Path | None, typer.Option(help="The folder to which heads were shipped: without it, a cut tail is not found.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Verify an export, offline: any change, insertion, reordering or deletion is found."""
    from governance.audit.keys import load_public_keys
    from governance.audit.seal import read_shipped
    from governance.audit.verify import verify as check

    try:
        report = check(path, load_public_keys(key), read_shipped(heads) if heads else [])
    except OSError as error:
        raise Failed(f"{error.filename} cannot be read ({error.strerror}).", INVALID) from None
    except ValueError as error:
        raise Failed(f"--heads: {error}.", INVALID) from None
    if output is Format.JSON:
        show_json(
            {
                "events": report.events,
                "segments": report.segments,
                "last_head": report.last_head,
                "heads_compared": report.compared,
                "findings": [{"line": one.line, "what": one.what} for one in report.findings],
            }
        )
    else:
        kept = f"compared with {report.compared} heads kept elsewhere"
        show(f"{report.events} events in {report.segments} segments; {kept}.")
        show(f"last head: {report.last_head or '(none)'}")
    if report.findings:
        lines = [f"{path}:{one.line}: {one.what}" if one.line else f"{path}: {one.what}" for one in report.findings]
        raise Failed("\n".join(lines), INVALID)
