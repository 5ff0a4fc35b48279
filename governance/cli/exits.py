"""How a command ends: one line on standard error and a number that scripts can rely on, never a traceback.

docs/cli.md has the same table for people; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.errors import GovernanceError

OURS, USAGE, INVALID, NOT_ALLOWED, NOT_FOUND, CONFLICT, UNREACHABLE = 1, 2, 3, 4, 5, 6, 7
UNREAD = 141  # 128 and the number of SIGPIPE, as shells say it of other programs

MEANINGS = {
    0: "done",
    OURS: "an error on our side",
    USAGE: "the command was not written rightly",
    INVALID: "the input was refused: invalid, or not possible",
    NOT_ALLOWED: "not signed in, or not allowed",
    NOT_FOUND: "there is no such thing",
    CONFLICT: "the state moved on: read again",
    UNREACHABLE: "the service, or a part that it needs, does not answer, or not yet",
    UNREAD: "whoever read the output stopped reading, as `head` does",
}

_BY_STATUS = {
    400: INVALID,
    401: NOT_ALLOWED,
    403: NOT_ALLOWED,
    404: NOT_FOUND,
    409: CONFLICT,
    413: INVALID,
    422: INVALID,
    429: UNREACHABLE,
    502: UNREACHABLE,
    503: UNREACHABLE,
    504: UNREACHABLE,
}


class Failed(Exception):
    """A command ends here: what to print, and the exit code. `problem`: the problem document, where there is one."""

    def __init__(self, message: str, code: int, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self._problem = problem

    def problem(self) -> dict[str, Any]:
        """The same for programs: RFC 9457, with the exit code."""
        known = self._problem or {"type": "about:blank", "title": MEANINGS[self.code], "detail": self.message}
        return {**known, "exit_code": self.code}


def code_of(status: int) -> int:
    """The exit code for an HTTP status."""
    return _BY_STATUS.get(status, OURS)


def failed(error: GovernanceError) -> Failed:
    """The same error as the end of a command."""
    named = {"field": error.field, "remedy": error.remedy}
    known = {"type": error.type, "title": error.title, "status": error.status, "detail": error.detail}
    return Failed(str(error), code_of(error.status), known | {name: text for name, text in named.items() if text})
