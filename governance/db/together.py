"""Several reads in one statement: one round trip, one snapshot.

`read` runs it by itself, on PostgreSQL the short way; `fetch` runs it within a unit of work. Each SELECT becomes a JSON
subquery; values come back as the types of its columns. A statement is built once, with `bindparam` where it varies, and
run many times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import JSON, Engine, Select, Uuid, cast, func, literal_column, select, type_coerce
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import Text, TypeEngine
from sqlmodel import Session

from governance.clock import Clock
from governance.db.elements import database_now
from governance.db.lane import Prepared, prepare
from governance.db.session import lane_of, reading
from governance.db.types import UtcDateTime

Rows = dict[str, list[dict[str, Any]]]
_Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Together:
    """SELECTs that are read together: the statement for each dialect, and how its values are converted."""

    statements: Mapping[str, Select[*tuple[Any, ...]]]
    converters: Mapping[str, tuple[tuple[str, _Convert], ...]]
    prepared: Prepared


def together(name: str, selects: Mapping[str, Select[*tuple[Any, ...]]]) -> Together:
    """Prepare these SELECTs, by name, to be read as one, under a name of its own."""
    on = {"postgresql": _rows_on_postgresql, "sqlite": _rows_on_sqlite}
    statements = {
        dialect: select(
            database_now().label("database_time"),
            *(rows(one, f"{of}_rows").label(of) for of, one in selects.items()),
        )
        for dialect, rows in on.items()
    }
    return Together(
        statements=statements,
        converters={of: _converters(one) for of, one in selects.items()},
        prepared=prepare(name, statements["postgresql"]),
    )


def read(engine: Engine, what: Together, parameters: Mapping[str, str], ends: float = inf) -> tuple[datetime, Rows]:
    """Run them as one statement that stands alone; answers what `fetch` does.

    Args:
        ends: when to give up, on the monotonic clock.

    Raises:
        DatabaseUnavailable: the database could not be reached, or broke off.
    """
    lane = lane_of(engine)
    if lane is None:
        with reading(engine) as session:
            return fetch(session, what, parameters)
    return _converted(what, lane.one(what.prepared, parameters, ends))


def fetch(session: Session, what: Together, parameters: Mapping[str, str]) -> tuple[datetime, Rows]:
    """Run them as one statement within a unit of work.

    Returns:
        the database's time, and the rows of each SELECT by its name, as dictionaries by column name.
    """
    statement = what.statements[session.get_bind().dialect.name]
    return _converted(what, session.connection().execute(statement, dict(parameters)).one())


def database_time(session: Session) -> datetime:
    """The database's time: rights expire by one clock, whatever the hosts say."""
    return _instant(session.connection().execute(select(database_now())).scalar_one())


def database_clock(engine: Engine) -> Clock:
    """The same as a clock, for what is no unit of work: each look is a round trip."""

    def now() -> datetime:
        with reading(engine) as session:
            return database_time(session)

    return now


def _rows_on_postgresql(one: Select[*tuple[Any, ...]], name: str) -> ColumnElement[Any]:
    rows = one.subquery(name)
    as_json = func.json_agg(func.row_to_json(literal_column(name)))
    return select(func.coalesce(cast(as_json, Text), literal_column("'[]'"))).select_from(rows).scalar_subquery()


def _rows_on_sqlite(one: Select[*tuple[Any, ...]], name: str) -> ColumnElement[Any]:
    rows = one.subquery(name)
    pairs: list[ColumnElement[Any]] = []
    for column in rows.c:
        value = type_coerce(column, Text)
        pairs += [literal_column(f"'{column.name}'"), func.json(value) if isinstance(column.type, JSON) else value]
    return select(func.json_group_array(func.json_object(*pairs))).select_from(rows).scalar_subquery()


def _converted(what: Together, found: Sequence[Any]) -> tuple[datetime, Rows]:
    rows = {
        name: [_convert(row, converters) for row in orjson.loads(found[position])]
        for position, (name, converters) in enumerate(what.converters.items(), start=1)
    }
    return _instant(found[0]), rows


def _convert(row: dict[str, Any], converters: tuple[tuple[str, _Convert], ...]) -> dict[str, Any]:
    for name, convert in converters:
        if row[name] is not None:
            row[name] = convert(row[name])
    return row


def _converters(one: Select[*tuple[Any, ...]]) -> tuple[tuple[str, _Convert], ...]:
    columns = one.subquery().c
    return tuple((column.name, convert) for column in columns if (convert := _converter(column.type)) is not None)


def _converter(kind: TypeEngine[Any]) -> _Convert | None:
    if isinstance(kind, Uuid):
        return UUID
    if isinstance(kind, UtcDateTime):
        return _instant
    return bool if not isinstance(kind, JSON) and kind.python_type is bool else None


def _instant(value: Any) -> datetime:  # noqa: ANN401  (text from one driver, a datetime from the other)
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    instant: datetime = moment.astimezone(UTC)
    return instant
