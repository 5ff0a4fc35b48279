"""`governance demo`: the whole service on this machine with a made-up hospital, and the story told with it."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from governance import clock
from governance.cli.exits import INVALID, OURS, Failed
from governance.cli.output import show
from governance.demo.recording import load
from governance.demo.telling import StepFailed, Teller
from governance.errors import GovernanceError
from governance.units import Period

app = typer.Typer(help="The whole service on this machine, with a made-up hospital.")

_TROUBLE_LINES = 5


@app.callback(invoke_without_command=True)
def demo(
    context: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", envvar="ONCE", help="Approve without a person, and end: 0 if all went as told.")
    ] = False,
) -> None:
    """Tell the story of one request, on this machine and with made-up people; then stay, until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False, emoji=False, markup=False)
    with tempfile.TemporaryDirectory(prefix="governance-demo-", ignore_cleanup_errors=True) as folder:
        try:
            _play(Path(folder), console, once=once)
        except KeyboardInterrupt:
            console.print("\nStopped. Nothing is left behind.")


@app.command()
def data(
    folder: Annotated[Path, typer.Argument(help="Where to write; it is made if it is not there.")],
    month: Annotated[list[str], typer.Option(help="A month: 2026-10. May be repeated.")],
) -> None:
    """Write bills of the made-up hospital: FOCUS files, with the invoices and the known answer beside them."""
    from governance.demo.bills import answer_of, bills_of

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for period in sorted({Period.parse(one, field="--month") for one in month}):
            bills = bills_of(period)
            for bill in bills:
                file = folder / f"{period}-{bill.issuer.split()[0].lower()}.csv"
                file.write_text(bill.csv(), encoding="utf-8")
                show(f"{file}: {len(bill.lines)} lines, invoice {bill.invoice} of {bill.amount} EUR")
            answer = folder / f"{period}-answer.json"
            answer.write_text(answer_of(bills), encoding="utf-8")
            show(f"{answer}: the invoices, and what each project owes")
    except OSError as error:
        raise Failed(f"{folder} cannot be written: {error.strerror}.", INVALID) from None


def _play(folder: Path, console: Console, *, once: bool) -> None:
    recording, tell = load(clock.now()), Teller(console)
    tell.opening(recording.kubernetes, recording.recorded_at)
    with ExitStack() as stack:
        with tell.doing("starting the service"):
            from governance.cli import demo_service  # takes seconds, which nobody should wait in silence
            from governance.demo import story

            stage = stack.enter_context(demo_service.running(folder, recording))
        if not stage.address.endswith(f":{demo_service.PORT}"):
            tell.warn(f"Port {demo_service.PORT} is taken, so the pages are at {stage.address}.")
        try:
            story.play(stage, tell, once=once)
        except (StepFailed, GovernanceError, httpx.HTTPError) as error:
            log = (folder / demo_service.LOG).read_text(encoding="utf-8")
            raise Failed("\n".join([*_trouble(log), f"The demo stopped. {error}"]), OURS) from None
        if not once:
            program = sys.argv[0] if sys.argv[0].endswith("governance") else "governance"
            tell.ending(stage.address, stage.environment(), program)
            threading.Event().wait()


def _trouble(log: str) -> list[str]:
    """The last warnings of a log that is not kept."""
    return [line for line in log.splitlines() if '"level": "info"' not in line][-_TROUBLE_LINES:]
