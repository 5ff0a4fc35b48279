"""SQLite databases for tests: what a test begins with is prepared once in a process, and copied for each that asks.

The engines stay. SQLAlchemy keeps what it compiles with the engine, and compiling takes longer than most tests.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import Engine

from governance.bootstrap import metadata
from governance.db.session import make_engine
from governance.settings import Database

T = TypeVar("T")

_idle: list[Engine] = []
_prepared: dict[Callable[[Engine], Any], Any] = {}


@contextmanager
def empty() -> Iterator[Engine]:
    """An engine on a database with all tables and no rows, the caller's own until the block ends."""
    engine = _idle.pop() if _idle else make_engine(Database(url=f"sqlite:///{_folder()}/{uuid4().hex}.db"))
    begin(engine, metadata.create_all)
    yield engine.execution_options()  # the same engine, but what a test listens to on it ends with the test
    _remove(engine)
    _idle.append(engine)


def begin(engine: Engine, prepare: Callable[[Engine], T]) -> T:
    """Bring an empty database to where `prepare` leaves it, and give what that gave: nothing that a test changes.

    Elsewhere than on SQLite it is prepared anew each time.
    """
    if engine.dialect.name != "sqlite":
        return prepare(engine)
    kept = _folder() / f"{prepare.__module__}.{prepare.__qualname__}"
    if prepare not in _prepared:
        given = prepare(engine)
        engine.dispose()  # the last connection writes everything from the log into the file
        shutil.copy(_file(engine), kept)
        _prepared[prepare] = given
    else:
        _remove(engine)
        shutil.copy(kept, _file(engine))
    found: T = _prepared[prepare]
    return found


def _remove(engine: Engine) -> None:
    engine.dispose()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{_file(engine)}{suffix}").unlink(missing_ok=True)


def _file(engine: Engine) -> str:
    return str(engine.url.database)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="governance-tests-"))
    atexit.register(shutil.rmtree, folder)
    return folder
