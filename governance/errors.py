"""The error tree. An error means that we failed or were asked wrongly; a denial is a value, never an error.

GovernanceError                 500
├── BadInput                    422  a field is malformed or out of range; names it
│   ├── Malformed               400  the document cannot be read at all
│   └── TooLarge                413  over a configured limit
├── Unauthenticated             401  nobody is signed in, or the token is unknown, expired or revoked
├── Forbidden                   403  signed in, but not allowed
├── NotFound                    404
├── Conflict                    409  the state moved on; read again
│   ├── StaleVersion            409  somebody else wrote first
│   └── LedgerConflict          409  a charge moved between reading and writing; the caller reads again
├── TooManyRequests             429  an address asks too often; says when to ask again
└── Unavailable                 503  a part that is needed does not answer
    ├── DatabaseUnavailable     503
    ├── PolicyUnavailable       503  the policy engine is silent, slow, or answers nonsense
    └── ClusterUnavailable      503
"""

from __future__ import annotations

import re


class GovernanceError(Exception):
    """Base of the tree.

    Args:
        detail: one sentence for a person; says what happened.
        field: the field of the input that is wrong, as a dotted path, where there is one.
        remedy: what to do next, one sentence.
    """

    status = 500
    title = "Internal error"

    def __init__(self, detail: str, *, field: str | None = None, remedy: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.remedy = remedy

    @property
    def type(self) -> str:
        """By which programs know it, as a problem's `type`: `urn:governance:problem:stale-version`."""
        return f"urn:governance:problem:{re.sub('(?<=[a-z])(?=[A-Z])', '-', type(self).__name__).lower()}"

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        what_next = f" {self.remedy}" if self.remedy else ""
        return f"{where}{self.detail}{what_next}"


class BadInput(GovernanceError):
    status = 422
    title = "Invalid input"


class Malformed(BadInput):
    status = 400
    title = "Malformed input"


class TooLarge(BadInput):
    status = 413
    title = "Input too large"


class Unauthenticated(GovernanceError):
    status = 401
    title = "Sign-in required"


class Forbidden(GovernanceError):
    status = 403
    title = "Not allowed"


class NotFound(GovernanceError):
    status = 404
    title = "Not found"


class Conflict(GovernanceError):
    status = 409
    title = "Conflict"


class StaleVersion(Conflict):
    title = "Changed meanwhile"


class LedgerConflict(Conflict):
    title = "The ledger moved on"


class TooManyRequests(GovernanceError):
    status = 429
    title = "Too many requests"

    def __init__(
        self, detail: str, *, field: str | None = None, remedy: str | None = None, retry_after_s: int = 60
    ) -> None:
        super().__init__(detail, field=field, remedy=remedy or f"Try again in {retry_after_s} seconds.")
        self.retry_after_s = retry_after_s


class Unavailable(GovernanceError):
    status = 503
    title = "Unavailable"


class DatabaseUnavailable(Unavailable):
    title = "The database does not answer"


class PolicyUnavailable(Unavailable):
    title = "The policy engine does not answer"


class ClusterUnavailable(Unavailable):
    title = "The cluster does not answer"
