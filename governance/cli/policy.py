"""`governance policy`: the policies on their way to an engine. Runs on the machine that holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from governance.cli.exits import failed
from governance.cli.output import show
from governance.errors import GovernanceError

app = typer.Typer(no_args_is_help=True, help="The policies, on their way to an engine.")


@app.callback()
def policy() -> None:
    """The policies, on their way to an engine."""


@app.command()
def build(
    output: Annotated[Path, typer.Option(help="The bundle to write.")] = Path("policies.tar.gz"),
    directory: Annotated[
        Path | None, typer.Option(help="A folder of policies; otherwise the one of the settings.")
    ] = None,
    opa: Annotated[str, typer.Option(help="The program that compiles: OPA 1.x.")] = "opa",
) -> None:
    """Have OPA compile the policies for the engine `wasm`, which runs them in this service's own process."""
    from governance.policy import bundle
    from governance.policy.build import build as compile_to
    from governance.settings import load

    try:
        policies = bundle.load(directory or load().policy.directory)
        compile_to(policies, opa, output)
    except GovernanceError as error:
        raise failed(error) from None
    show(f"{output}: {len(policies.rules)} rules, digest {policies.digest[:12]}.")
    show("Set policy.engine=wasm and policy.bundle to this file, and start the service again.")
