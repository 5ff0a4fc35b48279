"""`governance`: one file per group of commands, each loaded only when it is called for."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from governance import __version__
from governance.cli.exits import MEANINGS, OURS, UNREAD, USAGE, Failed, failed
from governance.cli.output import show, show_json
from governance.errors import GovernanceError

_MODULES = {  # command: the module that holds it; where the names differ, it is one command of several
    "plan": "configuration",
    "apply": "configuration",
    "quota": "quota",
    "change": "change",
    "checkpoint": "checkpoint",
    "cluster": "cluster",
    "billing": "billing",
    "cloud": "cloud",
    "decisions": "decisions",
    "audit": "audit",
    "token": "token",
    "policy": "policy",
    "login": "signin",
    "logout": "signin",
    "whoami": "signin",
    "install": "install",
    "migrate": "local",
    "demo": "demo",
    "serve": "local",
    "worker": "local",
    "doctor": "doctor",
}
_CommandError: type[Any] = typer.BadParameter.__mro__[2]  # the base of all of Typer's own errors; it has no public name


class _Commands(TyperGroup):
    """Knows every command by name, and imports the one that is asked for: a shell command must start at once."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002  (Typer's signature)
        return list(_MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401  (Typer's classes have no public names)
        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        found: Any = get_command(import_module(f"governance.cli.{module}").app)
        command = found if module == cmd_name else found.get_command(ctx, cmd_name)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_Commands,
    name="governance",
    epilog=f"Exit codes, as in docs/cli.md: {'; '.join(f'{code} {meaning}' for code, meaning in MEANINGS.items())}.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        show(f"governance {__version__}")
        raise typer.Exit


@app.callback()
def governance(
    _version_asked: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Quota, change control and compliance, decided at admission."""


def main() -> None:
    """Run the command line: one line on standard error when it fails, and an exit code of `governance.cli.exits`."""
    try:
        code = app(prog_name="governance", standalone_mode=False)  # also as `python -m governance`
    except Failed as end:
        code = _say(end)
    except GovernanceError as error:
        code = _say(failed(error))
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        code = UNREAD  # Typer ends by itself where nobody reads what is printed, with 1
    except typer.Abort:
        code = _say(Failed("Nothing was done.", OURS))
    except _CommandError as error:
        code = _say(Failed(_usage(error), USAGE))
    except Exception as error:
        if logging.getLogger().handlers:  # serve and worker keep a log, without local variables; a shell has none
            logging.getLogger(__name__).exception("the command failed")
        code = _say(Failed(f"Something went wrong on our side ({type(error).__name__}).", OURS))
    sys.exit(code if isinstance(code, int) else 0)


def _say(end: Failed) -> int:
    if end.message and _wants_json(sys.argv):
        show_json(end.problem(), err=True)
    elif end.message:
        show(end.message, err=True)
    return end.code


def _wants_json(words: Sequence[str]) -> bool:
    """Whether it was asked for; also where the words are wrong otherwise, so that nothing was read from them."""
    pairs = {*pairwise(words)}
    return bool({("--output", "json"), ("-o", "json")} & pairs or {"--output=json", "-ojson"} & {*words})


def _usage(error: Any) -> str:  # noqa: ANN401  (Typer's own error)
    """What was written wrongly, in one line; the whole help where nothing was asked for."""
    message = str(error.format_message())
    command = error.ctx.command_path if error.ctx else "governance"
    if not message:  # nothing was asked for, so the help was printed
        return ""
    said = " ".join(re.sub("^Invalid value for '([^']*)'", r"\1", message).split())
    return f"{command}: {said if said.endswith(('.', '?')) else f'{said}.'} See: {command} --help."
