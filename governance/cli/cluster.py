"""`governance cluster`: how the clusters stand, and what to do with one when something is wrong."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from governance.cli.client import call
from governance.cli.exits import INVALID, USAGE, Failed
from governance.cli.output import Format, Output, show, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="How the clusters stand; switch one to warn, rebuild its ledger.")

Name = Annotated[str, typer.Argument(help="As its Cluster manifest says.")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; it stands in the audit log.")]

_TIME = re.compile(r"(?=.)(?:([0-9]{1,3})d)?(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?", re.ASCII)


@app.command("list")
def list_(output: Output = Format.TABLE) -> None:
    """List the clusters that ask."""
    found = call("GET", "/clusters")
    if output is Format.JSON:
        show_json(found)
        return
    show_table(
        ("cluster", "mode", "until", "followed by", "charged", "overdue", "epoch"),
        [
            (
                one["name"],
                one["mode"],
                _minute(one["warned"]["until"]) if one["warned"] else "-",
                one["followed_by"] or "nobody",
                _minute(one["relisted_at"]) if one["relisted_at"] else "never",
                str(one["overdue"]),
                str(one["epoch"]),
            )
            for one in found
        ],
        right=frozenset({5, 6}),
    )


@app.command("show")
def show_one(name: Name, output: Output = Format.TABLE) -> None:
    """Show how a cluster stands: mode, who follows it, when everything was charged, what is overdue."""
    _print(call("GET", _path(name)), output)


@app.command()
def warn(
    name: Name,
    time: Annotated[str, typer.Option("--for", help="For how long: 30m, 2h, 1h30m.")],
    reason: Reason,
    output: Output = Format.TABLE,
) -> None:
    """Deny nothing in a cluster for a stated time: what would be denied passes with a warning, and is charged."""
    _print(call("POST", f"{_path(name)}/warn", json={"minutes": _minutes(time), "reason": reason}), output)


@app.command()
def enforce(name: Name, reason: Reason, output: Output = Format.TABLE) -> None:
    """End a switch to warn before its time."""
    _print(call("POST", f"{_path(name)}/enforce", json={"reason": reason}), output)


@app.command()
def rebuild(
    name: Name,
    reason: Reason,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Begin anew after a restore of the cluster's etcd, or of this service's database.

    Nothing is denied in the cluster until everything that exists there is charged. Grants that were not used are void.
    """
    if not yes:
        _confirm(name)
    done = call("POST", f"{_path(name)}/rebuild", json={"reason": reason})
    _print(done, output)
    if output is Format.TABLE:
        show(f"void: {', '.join(done['voided']) or 'no grants'}")


def _path(name: str) -> str:
    return f"/clusters/{quote(name, safe='')}"


def _minutes(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise Failed(f"--for: {text!r} is not a time. Write it like 30m, 2h or 1h30m.", USAGE)
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return (days * 24 + hours) * 60 + minutes


def _confirm(name: str) -> None:
    if not sys.stdin.isatty():
        raise Failed("This suspends enforcement: nobody is there to confirm it. Add --yes.", USAGE)
    said = typer.prompt(f"Nothing will be denied in {name} until everything is charged anew. Type its name", err=True)
    if said != name:
        raise Failed(f"{said!r} is not {name}. Nothing was done.", INVALID)


def _print(one: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        show_json(one)
        return
    show(f"{one['name']}  {_mode(one)}")
    holder = f"{one['followed_by']} until {_second(one['followed_until'])}" if one["followed_by"] else "nobody"
    show(f"followed by: {holder}")
    show(f"everything charged: {_minute(one['relisted_at']) if one['relisted_at'] else 'not yet'}")
    show(f"overdue: {one['overdue']} objects")
    show(f"epoch: {one['epoch']}")


def _mode(one: dict[str, Any]) -> str:
    warned = one["warned"]
    if warned:
        return f"warns until {_minute(warned['until'])} ({warned['by']}: {warned['reason']}): nothing is denied"
    return {"observe": "observes: nothing is denied", "enforce": "enforces"}[one["mode"]]


def _minute(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"


def _second(text: str) -> str:
    return f"{datetime.fromisoformat(text):%H:%M:%S} UTC"
