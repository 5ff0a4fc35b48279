"""`governance change`: ask for an exception, decide one, follow one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from governance.cli.client import call, pages
from governance.cli.exits import USAGE, Failed
from governance.cli.output import Format, Output, id_of, moment, show, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Ask for an exception, decide one, follow one.")

Number = Annotated[str, typer.Argument(help="As it is shown: CH-1042.")]
Note = Annotated[str, typer.Option("--note", "-m", help="In your own words.")]
Seen = Annotated[int, typer.Option("--version", min=0, help="The version that you saw; 0: as it stands now.")]


@app.command("list")
def list_(
    state: Annotated[str, typer.Option(help="pending, approved, ...")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only those that you asked for.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    output: Output = Format.TABLE,
) -> None:
    """List changes, the newest first."""
    found = pages("/changes", {"state": state, "mine": "true" if mine else ""}, limit)
    if output is Format.JSON:
        show_json(found)
        return
    show_table(
        ("number", "state", "what", "requester", "decide by"),
        [(one["number"], one["state"], one["what"], one["requester"], moment(one["decide_by"])) for one in found],
    )


@app.command("show")
def show_one(number: Number, output: Output = Format.TABLE) -> None:
    """Show a change: what it asks for, whose approval it needs, who said what."""
    _print(call("GET", f"/changes/{number}"), output)


@app.command()
def ask(
    decision: Annotated[UUID, id_of("decision", "it stands in the link of the denial")],
    reason: Annotated[str, typer.Option(help="Why it is needed.")],
    until: Annotated[str, typer.Option(help="Until when, as ISO 8601: 2026-11-30 or 2026-11-30T18:00+01:00.")],
    reference: Annotated[str, typer.Option(help="An incident or ticket.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Ask for the change that was denied."""
    wish = {"decision_id": str(decision), "reason": reason, "reference": reference, "valid_until": _moment(until)}
    _print(call("POST", "/changes", json=wish), output)


@app.command()
def approve(
    number: Number,
    note: Note = "",
    at_most: Annotated[
        list[str] | None, typer.Option("--at-most", help="For less: RESOURCE=QUANTITY; may be repeated.")
    ] = None,
    until: Annotated[str, typer.Option(help="Until an earlier date, as ISO 8601.")] = "",
    version: Seen = 0,
    output: Output = Format.TABLE,
) -> None:
    """Approve a change: as asked, for less, or until an earlier date."""
    said: dict[str, Any] = {"version": _version(number, version), "note": note, "at_most": _amounts(at_most or [])}
    if until:
        said["until"] = _moment(until)
    _print(call("POST", f"/changes/{number}/approve", json=said), output)


@app.command()
def reject(
    number: Number,
    note: Annotated[str, typer.Option("--note", "-m", help="Why.")],
    version: Seen = 0,
    output: Output = Format.TABLE,
) -> None:
    """Reject a change, with the reason."""
    said = {"version": _version(number, version), "note": note}
    _print(call("POST", f"/changes/{number}/reject", json=said), output)


@app.command()
def withdraw(number: Number, note: Note = "", version: Seen = 0, output: Output = Format.TABLE) -> None:
    """Take back what you asked for, as long as it is not used."""
    said = {"version": _version(number, version), "note": note}
    _print(call("POST", f"/changes/{number}/withdraw", json=said), output)


@app.command()
def revoke(
    number: Number,
    note: Annotated[str, typer.Option("--note", "-m", help="Why.")],
    version: Seen = 0,
    output: Output = Format.TABLE,
) -> None:
    """Take back a grant that is not used yet."""
    said = {"version": _version(number, version), "note": note}
    _print(call("POST", f"/changes/{number}/revoke", json=said), output)


@app.command()
def question(number: Number, text: str, output: Output = Format.TABLE) -> None:
    """Ask the requester something."""
    _print(call("POST", f"/changes/{number}/question", json={"text": text}), output)


@app.command()
def answer(number: Number, text: str, output: Output = Format.TABLE) -> None:
    """Answer a question."""
    _print(call("POST", f"/changes/{number}/answer", json={"text": text}), output)


def _version(number: str, seen: int) -> int:
    return seen or int(call("GET", f"/changes/{number}")["version"])


def _amounts(given: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if any(not name or not equals for name, equals, _ in pairs):
        raise Failed("--at-most: write it like requests.nvidia.com/gpu=4.", USAGE)
    return {name: quantity for name, _, quantity in pairs}


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failed(f"{text!r} is not a time. Write it like 2026-11-30T18:00+01:00.", USAGE) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _print(one: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        show_json(one)
        return
    show(f"{one['number']}  {one['state']}  version {one['version']}")
    show(f"{one['requester']} asks for {one['what']}, until {moment(one['valid_until'])}.")
    show(f'"{one["reason"]}"' + (f" {one['reference']}" if one["reference"] else ""))
    for sentence in one["denied_because"]:
        show(f"  {sentence}")
    show()
    resources = sorted({*one["before"], *one["after"]})
    rows = [(name, one["before"].get(name, "0"), one["after"].get(name, "0")) for name in resources]
    show_table(("resource", "before", "after"), rows, right=frozenset({1, 2}))
    show()
    show_table(
        ("needs", "of", "approved by", "could approve"),
        [
            (str(need["minimum"]), need["group"], ", ".join(need["approvals"]), ", ".join(need["could_approve"]))
            for need in one["needs"]
        ],
    )
    for said in one["reviews"]:
        show(f"{moment(said['at'])}  {said['person']}: {said['verdict']}  {said['note']}")
