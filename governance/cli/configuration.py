"""`governance plan` and `governance apply`: the whole configuration, from files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from governance.cli.client import call
from governance.cli.exits import CONFLICT, INVALID, Failed
from governance.cli.output import Format, Output, show, show_json

app = typer.Typer()

Files = Annotated[
    list[Path], typer.Option("--filename", "-f", help="A file, or a folder with .yaml, .yml and .ics files below it.")
]
_SUFFIXES = {".yaml", ".yml", ".ics"}
_SIGNS = {"create": "+", "update": "~", "delete": "-"}
_SHOWN_MAX = 70


@app.command()
def plan(filename: Files, output: Output = Format.TABLE) -> None:
    """Show what applying these files would change."""
    made = call("POST", "/configuration/plan", json={"files": _read(filename)})
    if output is Format.JSON:
        show_json(made)
        return
    _show(made)
    if made["changes"]:
        show(f"\nAgainst revision {made['base']}: {_count(made)}.")


@app.command()
def apply(
    filename: Files,
    delete: Annotated[bool, typer.Option("--delete", help="Delete what the files leave out.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Make these files the configuration in force: all of them, or nothing."""
    files = _read(filename)
    made = call("POST", "/configuration/plan", json={"files": files})
    if output is Format.TABLE:
        _show(made)
    gone = [f"{one['kind']}/{one['name']}" for one in made["changes"] if one["action"] == "delete"]
    if gone and not delete:
        raise Failed(f"The files leave out {', '.join(gone)}. Add them, or delete them with --delete.", CONFLICT)
    if made["changes"] and not yes and sys.stdin.isatty() and not typer.confirm(f"\nApply: {_count(made)}?"):
        raise Failed("Nothing was applied.", INVALID)
    wanted = {"files": files, "base": made["base"], "deletes": delete}
    done = call("POST", "/configuration/apply", json=wanted)
    if output is Format.JSON:
        show_json(done)
    elif done["changes"]:
        show(f"\nRevision {done['revision']}: {_count(done)}.")


def _read(names: Sequence[Path]) -> list[dict[str, str]]:
    files, problems = list[dict[str, str]](), list[str]()
    for path, name in _found(names):
        try:
            files.append({"name": name, "text": path.read_bytes().decode()})
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            problems.append(f"{name}:{line}: The file is not UTF-8. Save it as UTF-8.")
        except OSError as error:
            problems.append(f"{name}: It cannot be read ({error.strerror}).")
    if problems:
        raise Failed("\n".join([*problems, "Nothing was applied."]), INVALID)
    if not files:
        raise Failed("There is no .yaml, .yml or .ics file.", INVALID)
    return files


def _found(names: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Each file, and the name by which problems call it: as it was given, so that it can be opened from here."""
    for given in names:
        if given.is_dir():
            inside = (path for path in sorted(given.rglob("*")) if path.suffix in _SUFFIXES and path.is_file())
            yield from ((path, path.as_posix()) for path in inside)
        else:
            yield given, given.as_posix()


def _show(made: dict[str, Any]) -> None:
    if not made["changes"]:
        show(f"Nothing changes: revision {made['base']} is in force, with {made['unchanged']} manifests.")
    for one in made["changes"]:
        show(f"{_SIGNS[one['action']]} {one['kind']}/{one['name']}")
        for field in one["fields"] if one["action"] == "update" else ():
            show(f"    {field['field']}: {_value(field['before'])} -> {_value(field['after'])}")


def _value(value: Any) -> str:  # noqa: ANN401  (any JSON)
    text = "(none)" if value is None else str(value).replace("\n", " ").replace("\r", "")
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def _count(made: dict[str, Any]) -> str:
    actions = [one["action"] for one in made["changes"]]
    return ", ".join(f"{actions.count(action)} to {action}" for action in _SIGNS if action in actions)
