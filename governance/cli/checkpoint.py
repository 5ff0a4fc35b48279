"""`governance checkpoint`: signed statements that a control passed for an image."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from governance.cli.client import call, pages
from governance.cli.exits import INVALID, USAGE, Failed
from governance.cli.output import Format, Output, moment, show, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Signed statements that a control passed for an image.")


@app.command()
def record(
    type: Annotated[str, typer.Option(help="What was checked: vuln-scan.")] = "",  # noqa: A002
    digest: Annotated[str, typer.Option(help="Of which image: sha256:..., or IMAGE@sha256:...")] = "",
    result: Annotated[str, typer.Option(help="pass or fail.")] = "",
    key: Annotated[Path | None, typer.Option(help="The attestor's Ed25519 private key, PEM. It stays here.")] = None,
    evidence: Annotated[list[Path] | None, typer.Option(help="A report that it rests on; its hash is sent.")] = None,
    control: Annotated[str, typer.Option(help="The control's own name.")] = "",
    at: Annotated[str, typer.Option(help="When it was checked, 2026-11-27T10:00:00Z; else now.")] = "",
    until: Annotated[str, typer.Option(help="How long it holds, likewise.")] = "",
    envelope: Annotated[Path | None, typer.Option(help="Instead: a DSSE envelope that another tool signed.")] = None,
) -> None:
    """Sign a checkpoint and record it, or record one that is signed already."""
    if envelope is not None:
        content = _read(envelope)
    elif type and digest and result and key is not None:
        content = _signed(type, digest, result, key, evidence or [], control, at, until)
    else:
        raise Failed("It needs --type, --digest, --result and --key, or --envelope.", USAGE)
    try:
        sent = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Failed(f"{envelope} is no JSON: {error}.", INVALID) from None
    done = call("POST", "/checkpoints", json=sent)
    show(f"{done['type']} of {done['digest']}: {done['result']}, attested by {done['attestor']}. ({done['id']})")


@app.command("list")
def list_(
    digest: Annotated[str, typer.Option(help="Of one image: sha256:...")] = "",
    type: Annotated[str, typer.Option(help="Of one type: vuln-scan.")] = "",  # noqa: A002
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List checkpoints, the one recorded last first."""
    found = pages("/checkpoints", {"digest": digest, "type": type}, limit)
    if output is Format.JSON:
        show_json(found)
        return
    show_table(
        ("type", "digest", "result", "checked", "until", "attestor"),
        [
            (one["type"], one["digest"], one["result"], moment(one["at"]), moment(one["until"]) or "-", one["attestor"])
            for one in found
        ],
    )


def _signed(
    type_: str,
    digest: str,
    result: str,
    key: Path,
    evidence: list[Path],
    control: str,
    at: str,
    until: str,
) -> bytes:
    from governance.audit.keys import load_key
    from governance.compliance.attestation import sign
    from governance.compliance.model import FAIL, PASS, Checkpoint

    if result not in {PASS, FAIL}:
        raise Failed("--result must be pass or fail.", USAGE)
    name, _, value = digest.rpartition("@")
    checkpoint = Checkpoint(
        type=type_,
        result=PASS if result == PASS else FAIL,
        digest=value,
        at=_time("--at", at) or datetime.now(UTC),
        until=_time("--until", until),
        control=control,
        resource=name,
        evidence=tuple({"uri": one.name, "sha256": _sha256(one)} for one in evidence),
    )
    return sign(checkpoint, load_key(key, "--key"), name)


def _time(option: str, text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        found = datetime.min  # noqa: DTZ901  (no time zone: refused like any other without one)
    if found is not None and found.tzinfo is None:
        raise Failed(f"{option}: {text!r} is no time. Write it like 2026-11-27T10:00:00Z.", USAGE)
    return found


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}.", INVALID) from None


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}.", INVALID) from None
