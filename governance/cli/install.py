"""`governance install`: what a cluster needs to ask this service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from governance.cli.exits import INVALID, USAGE, Failed
from governance.cli.output import show
from governance.errors import BadInput
from webhooks.kubernetes.install import Installation, Service, render

app = typer.Typer(no_args_is_help=True, help="What a cluster needs to ask this service.")


@app.callback()
def install() -> None:
    """What a cluster needs to ask this service."""


@app.command()
def kubernetes(
    cluster: Annotated[str, typer.Option(help="The cluster's name, as its Cluster manifest says.")],
    ca: Annotated[Path, typer.Option(help="PEM file of the certificates that the API server trusts for the webhook.")],
    url: Annotated[str, typer.Option(help="https address of the webhook, seen from the API server.")] = "",
    service: Annotated[str, typer.Option(help="Or, inside the cluster: NAMESPACE/NAME[:PORT].")] = "",
    pods: Annotated[
        str, typer.Option(help="lenient: pods of admitted workloads are only watched; strict: each is asked for.")
    ] = "lenient",
    namespace: Annotated[str, typer.Option(help="Where the ServiceAccount that watches lives.")] = "governance",
) -> None:
    """Print what `kubectl apply -f -` needs: the webhook's registration, and the right to watch."""
    if bool(url) == bool(service):
        raise Failed("Say where the webhook is: --url or --service, one of the two.", USAGE)
    if pods not in {"lenient", "strict"}:
        raise Failed("--pods: lenient or strict.", USAGE)
    try:
        bundle = ca.read_bytes()
    except OSError as error:
        raise Failed(f"--ca: {ca} cannot be read ({error.strerror}).", INVALID) from None
    asks: Literal["lenient", "strict"] = "strict" if pods == "strict" else "lenient"
    endpoint = url or _service(service)
    show(render(Installation(cluster, endpoint, bundle, pods=asks, namespace=namespace)).rstrip())


def _service(text: str) -> Service:
    namespace, slash, rest = text.partition("/")
    name, _, port = rest.partition(":")
    if not slash or not namespace or not name or not (port or "443").isdigit():
        raise BadInput(f"{text!r} is not a service.", field="--service", remedy="Write it like governance/webhook:443.")
    return Service(namespace, name, int(port or 443))
