"""How a command ends: one line on standard error and a number that scripts can rely on, never a traceback.

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | an error on our side |
| 2 | the command was not written rightly |
| 3 | the input was refused: invalid, or not possible |
| 4 | not signed in, or not allowed |
| 5 | there is no such thing |
| 6 | the state moved on: read again |
| 7 | the service, or a part that it needs, does not answer, or not yet |
"""

from __future__ import annotations

from governance.errors import GovernanceError

OURS, USAGE, INVALID, NOT_ALLOWED, NOT_FOUND, CONFLICT, UNREACHABLE = 1, 2, 3, 4, 5, 6, 7

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
    """A command ends here: what to print, and the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def code_of(status: int) -> int:
    """The exit code for an HTTP status."""
    return _BY_STATUS.get(status, OURS)


def failed(error: GovernanceError) -> Failed:
    """The same error as the end of a command."""
    return Failed(str(error), code_of(error.status))
