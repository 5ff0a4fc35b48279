"""What a failure of the database means: it does not answer, or two writers met."""

from __future__ import annotations

from governance.errors import BadInput, DatabaseUnavailable

_COLLISIONS = {
    "40001",  # serialization failure
    "40P01",  # deadlock
    "23505",  # unique violation
    "SQLITE_CONSTRAINT_UNIQUE",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
}


def unavailable(error: Exception) -> DatabaseUnavailable:
    """The same failure in our words, without the statement or its parameters."""
    return DatabaseUnavailable(
        f"The database does not answer ({type(_driver_error(error)).__name__}).",
        remedy="Try again; if it stays, run: governance doctor.",
    )


def unstorable() -> BadInput:
    """What somebody sent that PostgreSQL can neither hold nor look for; which value it was, it does not say."""
    return BadInput(
        "A value holds a NUL character, or is out of range.", remedy="Send text without NUL, and smaller numbers."
    )


def collided(error: Exception) -> bool:
    """Whether two writers met (a unique key, a deadlock), which is no failure: the later one reads again."""
    cause = error.__cause__ if isinstance(error, DatabaseUnavailable) else error
    driver = _driver_error(cause)
    return getattr(driver, "sqlstate", getattr(driver, "sqlite_errorname", None)) in _COLLISIONS


def _driver_error(error: BaseException | None) -> BaseException | None:
    """The driver's own error, from below SQLAlchemy's."""
    return getattr(error, "orig", None) or error
