"""How the demo tells its story: colours and a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

_INDENT = 5
_WIDTH = 110  # longer lines are hard to read
_POLL_S = 0.2
_WAIT_S = 60.0
_PEOPLE = (
    ("Dr. A. Okafor", "asks for capacity in radiology"),
    ("M. Lindqvist", "approves in radiology"),
    ("Prof. J. Ferreira", "approves in all of imaging"),
    ("K. Sato", "describes the hospital, and approves nothing"),
    ("E. Bauer", "keeps the bills, and prepares months"),
    ("A. Keller", "closes months"),
    ("L. Brandt", "audits"),
)


class StepFailed(Exception):
    """A step did not do what it says."""


class Teller:
    """Prints the story, one line for each step and what belongs to it below."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0

    def opening(self, kubernetes: str, recorded_at: datetime) -> None:
        """What the reader must know first: what is made up, and what is real."""
        self._line(Text("One request, from the quota to the approval, and on to the bill", "bold"), 0)
        self._line(
            Text(
                "St. Elisabeth Hospitals and its people are made up. The service is real: this process, with SQLite "
                "and the embedded policy engine. The cluster is a recording: what a Kubernetes API server "
                f"({kubernetes}) sent on {recorded_at:%d %B %Y} goes, with new uids and times, to the service's "
                "webhook over TLS. The launch in AWS and the bills are made up, in the form in which they come.",
                "dim",
            ),
            0,
        )

    def ending(self, address: str, environment: Mapping[str, str], program: str) -> None:
        """What the reader can do now. `program`: how this one was started."""
        self._console.print()
        self._line(Text("That was the story. The service goes on until you press Ctrl-C.", "bold"), 0)
        self._line(Text(f"Open {address} and sign in as whoever you like:"), 0)
        for who, what in _PEOPLE:
            self._line(Text.assemble((f"{who:<19}", "cyan"), what), _INDENT)
        self._line(Text("Ask for an exception to the freeze: open the link of its denial as Dr. A. Okafor."), 0)
        self._line(Text("Or use the command line as K. Sato:"), 0)
        for name, value in environment.items():
            self._line(Text(f"export {name}={value}", "cyan"), _INDENT)
        self._line(Text(f"{program} quota show imaging", "cyan"), _INDENT)

    def step(self, what: str) -> None:
        """A step that did what it says."""
        self._steps += 1
        self._console.print()
        self._line(Text.assemble(("✓ ", "bold green"), (f"{self._steps:>2} ", "dim"), (what, "bold")), 0)

    def command(self, who: str, words: str) -> None:
        """What somebody types at a shell."""
        self._line(Text.assemble((f"{who} $ ", "dim"), (words, "cyan")), _INDENT)

    def note(self, text: str, style: str = "") -> None:
        """What belongs to the step."""
        self._line(Text(text, style), _INDENT)

    def denial(self, text: str) -> None:
        """What the cluster's user reads of a denial; the link stands alone, so that it can be opened."""
        words, _, link = text.rpartition(" ")
        if "://" not in link:
            words, link = text, ""
        self._line(Text(words, "red"), _INDENT)
        if link:
            self._line(Text(link, "red"), _INDENT)

    def table(self, text: str, *, mark: str) -> None:
        """What a command printed, as it is. `mark`: the row that the story is about begins so."""
        for line in text.rstrip().splitlines():
            style = "bold" if line.startswith(mark) else "dim"
            row = Text(" " * _INDENT + line, style)
            if self._console.is_terminal:
                self._console.print(row, no_wrap=True, overflow="ellipsis")
            else:
                self._console.print(row, soft_wrap=True)

    def warn(self, text: str) -> None:
        """What is not as usual."""
        self._line(Text(text, "yellow"), 0)

    def call(self, link: str, what: str) -> None:
        """What the reader is asked to do."""
        self._console.print()
        self._line(Text.assemble(("▶  Your turn. ", "bold yellow"), (f"Open {link}", "bold")), 0)
        self._line(Text(what, "bold"), _INDENT)

    def doing(self, what: str) -> AbstractContextManager[object]:
        """Shows that something is under way, on a terminal."""
        return self._console.status(Text(what, "dim"))

    def wait(self, condition: Callable[[], bool], what: str, *, patient: bool = False) -> None:
        """Wait until something is so. Raises StepFailed when it takes too long; `patient`: never, a person is asked."""
        ends = time.monotonic() + _WAIT_S
        with self.doing(f"waiting: {what}"):
            while not condition():
                if time.monotonic() > ends and not patient:
                    raise StepFailed(f"This did not happen within {_WAIT_S:.0f} s: {what}.")
                time.sleep(_POLL_S)

    def _line(self, text: Text, indent: int) -> None:
        """On a terminal lines are broken at words, but for links, which must stay whole."""
        if self._console.is_terminal and "://" not in text.plain:
            self._console.print(Padding(text, (0, 0, 0, indent)), width=min(self._console.width, _WIDTH))
        else:
            self._console.print(Text(" " * indent).append_text(text), soft_wrap=True)


def require(condition: object, what: str) -> None:
    """Raises StepFailed unless a step did what it says."""
    if not condition:
        raise StepFailed(f"Expected: {what}.")
