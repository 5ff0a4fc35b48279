"""`governance cloud`: what this installation knows of clouds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from governance.cli.output import show
from webhooks.cloud import aws
from webhooks.cloud.machines import write

app = typer.Typer(no_args_is_help=True, help="What this installation knows of clouds.")


@app.callback()
def _group() -> None:
    pass  # so that a group of one command keeps its name


@app.command("machine-types")
def machine_types(
    provider: Annotated[Literal["aws"], typer.Argument(help="Whose machine types.")],
    region: Annotated[str | None, typer.Option(help="Of which region; else the one that boto3 finds.")] = None,
    output: Annotated[Path | None, typer.Option("--to", help="The file to write; else they are printed.")] = None,
) -> None:
    """Ask a provider which machine types it offers and what each has; for the setting cloud.aws_machines.

    Needs the right ec2:DescribeInstanceTypes, with credentials as boto3 finds them.
    """
    ec2 = aws.client("ec2", region)
    found = aws.instance_types(ec2)
    told = f"EC2 DescribeInstanceTypes in {ec2.meta.region_name}, {datetime.now(UTC):%Y-%m-%d}."
    text = write(found, [told, f"Refreshed by: governance cloud machine-types {provider}"])
    if output is None:
        show(text.rstrip())
        return
    output.write_text(text)
    show(f"{len(found)} machine types of {provider} are in {output}. Set cloud.aws_machines to it.")
