"""How the demo tells its story: colours and a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

_INDENT = 5
_POLL_S = 0.2
_WAIT_S = 20.0
_PEOPLE = (
    ("Dr. A. Okafor", "asks for capacity in radiology"),
    ("M. Lindqvist", "approves in radiology"),
    ("Prof. J. Ferreira", "approves in all of imaging"),
    ("K. Sato", "describes the hospital, and approves nothing"),
    ("L. Brandt", "audits"),
)


class StepFailed(Exception):
    """A step did not do what it says."""


class Teller:
    """Prints the story, one line for each step and what belongs to it below."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0

    def opening(self, kubernetes: str, recorded_at: datetime, address: str, *, usual: bool) -> None:
        """What the reader must know first: what is made up, and what is real."""
        self._line(Text("One request, from the quota to the approval", "bold"), 0)
        self._line(
            Text(
                "St. Elisabeth Hospitals and its people are made up. The service is real: this process, with SQLite "
                f"and the embedded policy engine. The cluster is a recording: what a Kubernetes {kubernetes} sent on "
                f"{recorded_at:%d %B %Y}, with new uids and times, goes to the service's webhook over TLS.",
                "dim",
            ),
            0,
        )
        if not usual:
            self._line(Text(f"The usual port is taken, so the pages are at {address}.", "yellow"), 0)

    def ending(self, address: str, environment: Mapping[str, str]) -> None:
        """What the reader can do now."""
        self._console.print()
        self._line(Text("That was the story. The service goes on until you press Ctrl-C.", "bold"), 0)
        self._line(Text(f"Pages: {address}. Sign in as whoever you like:"), 0)
        for who, what in _PEOPLE:
            self._line(Text.assemble((f"{who:<18}", "cyan"), what), 2)
        self._line(Text("At a shell, as K. Sato:"), 0)
        self._line(Text(" ".join(f"{name}={value}" for name, value in environment.items()), "cyan"), 2)

    def step(self, what: str) -> None:
        """A step that did what it says."""
        self._steps += 1
        self._console.print()
        self._line(Text.assemble(("✓ ", "bold green"), (f"{self._steps:>2} ", "dim"), (what, "bold")), 0)

    def command(self, words: str) -> None:
        """What somebody types at a shell."""
        self._line(Text.assemble(("$ ", "dim"), (words, "cyan")), _INDENT)

    def note(self, text: str, style: str = "") -> None:
        """What belongs to the step."""
        self._line(Text(text, style), _INDENT)

    def denial(self, text: str) -> None:
        """What the cluster's user reads of a denial."""
        self._line(Text(text, "red"), _INDENT)

    def block(self, text: str) -> None:
        """Lines as they are: a table."""
        for line in text.rstrip().splitlines():
            self._console.print(Text(" " * _INDENT + line), soft_wrap=True)

    def call(self, *lines: str) -> None:
        """What the reader is asked to do."""
        self._console.print()
        for place, line in enumerate(lines):
            self._line(Text.assemble(("▶ " if not place else "  ", "bold yellow"), (line, "bold yellow")), 0)

    def wait(self, condition: Callable[[], bool], what: str, *, patient: bool = False) -> None:
        """Wait until something is so. Raises StepFailed when it takes too long; `patient`: never, a person is asked."""
        ends = time.monotonic() + _WAIT_S
        with self._console.status(Text(f"waiting: {what}", "dim")):
            while not condition():
                if time.monotonic() > ends and not patient:
                    raise StepFailed(f"This did not happen within {_WAIT_S:.0f} s: {what}.")
                time.sleep(_POLL_S)

    def _line(self, text: Text, indent: int) -> None:
        if self._console.is_terminal and "http" not in text.plain:
            self._console.print(Padding(text, (0, 0, 0, indent)))
        else:
            self._console.print(Text(" " * indent).append_text(text), soft_wrap=True)


def require(condition: object, what: str) -> None:
    """Raises StepFailed unless a step did what it says."""
    if not condition:
        raise StepFailed(f"Expected: {what}.")
