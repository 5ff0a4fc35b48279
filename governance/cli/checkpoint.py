"""`governance checkpoint`: signed statements that a control passed or failed."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from governance import clock
from governance.cli.client import call, pages
from governance.cli.exits import INVALID, USAGE, Failed
from governance.cli.output import Format, Output, moment, show, show_json, show_table
from governance.compliance.model import RESULTS, Checkpoint, Evidence, Result, is_digest, is_type

_RESOURCE = "image"  # what a digest is called whose image nobody named
_OF_A_STATEMENT = ("type", "digest", "result", "key", "attestor")

app = typer.Typer(no_args_is_help=True, help="Signed statements that a control passed or failed.")


@app.command()
def record(
    type_: Annotated[str, typer.Option("--type", help="Of checkpoint: vuln-scan.")] = "",
    digest: Annotated[str, typer.Option(help="Of the image: sha256:...")] = "",
    result: Annotated[str, typer.Option(help="pass or fail.")] = "",
    key: Annotated[Path | None, typer.Option(help="The attestor's private key: Ed25519, PEM. It stays here.")] = None,
    attestor: Annotated[str, typer.Option(help="The Attestor manifest whose key this is.")] = "",
    evidence: Annotated[
        list[Path] | None, typer.Option(help="A file that the result was read from: its hash is sent. May be repeated.")
    ] = None,
    resource: Annotated[str, typer.Option(help="How the image is called, without its digest.")] = "",
    control: Annotated[str, typer.Option(help="The control that was checked: ISO 27001 A.8.8.")] = "",
    waiver: Annotated[str, typer.Option(help="The exception under which it passed.")] = "",
    until: Annotated[str, typer.Option(help="When it ends: 2026-12-24T12:00:00Z.")] = "",
    envelope: Annotated[
        Path | None, typer.Option(help="A DSSE envelope that another tool made, sent as it is.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Sign a checkpoint here and record it, or send an envelope that another tool signed."""
    options = {"type": type_, "digest": digest, "result": result, "key": key, "attestor": attestor}
    if envelope is not None:
        given = [*(name for name in _OF_A_STATEMENT if options[name]), *(["evidence"] if evidence else [])]
        if given:
            raise Failed(f"--{given[0]} is in the envelope already. Leave it out.", USAGE)
        sent = _read(envelope)
    else:
        missing = [name for name in _OF_A_STATEMENT if not options[name]]
        if missing or key is None:
            raise Failed(f"--{missing[0]} is missing. Name it, or send a whole --envelope.", USAGE)
        checkpoint = Checkpoint(
            type=type_ if is_type(type_) else _refuse("type", type_, "a type, such as vuln-scan"),
            result=_result(result),
            digest=digest if is_digest(digest) else _refuse("digest", digest, "sha256: and 64 hexadecimal digits"),
            resource=resource or _RESOURCE,
            attestor=attestor,
            at=clock.now(),
            control=control,
            until=_time(until) if until else None,
            waiver=waiver,
            evidence=tuple(Evidence(one.name, sha256(_read(one)).hexdigest()) for one in evidence or ()),
        )
        sent = _signed(checkpoint, key)
    made = call("POST", "/checkpoints", content=sent)
    if output is Format.JSON:
        show_json(made)
        return
    show(
        f"{made['type']} {made['result']} of {made['digest']}, attested by {made['attestor']} at {moment(made['at'])}."
    )


@app.command("list")
def list_(
    digest: Annotated[str, typer.Option(help="Of the image: sha256:...")] = "",
    type_: Annotated[str, typer.Option("--type", help="Of checkpoint: vuln-scan.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    output: Output = Format.TABLE,
) -> None:
    """List what was recorded, the newest first."""
    found = pages("/checkpoints", {"digest": digest, "type": type_}, limit)
    if output is Format.JSON:
        show_json(found)
        return
    show_table(
        ("type", "result", "at", "until", "attestor", "resource", "digest"),
        [
            (
                one["type"],
                one["result"],
                moment(one["at"]),
                moment(one["until"]) if one["until"] else "-",
                one["attestor"],
                one["resource"],
                one["digest"],
            )
            for one in found
        ],
    )


def _signed(checkpoint: Checkpoint, key: Path) -> bytes:
    from governance.compliance.attestation import sign  # takes a third of a second, for those who sign
    from governance.compliance.keys import read_private_key

    return json.dumps(sign(checkpoint, read_private_key(_read(key)))).encode()


def _result(text: str) -> Result:
    return next((one for one in RESULTS if one == text), None) or _refuse("result", text, "pass or fail")


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        _refuse("until", text, "a time with its zone, such as 2026-12-24T12:00:00Z")
    return at


def _refuse(name: str, text: str, wanted: str) -> NoReturn:
    raise Failed(f"--{name}: {text!r} is not {wanted}.", INVALID)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}.", INVALID) from None
