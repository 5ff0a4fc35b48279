"""SQL that both databases understand: the time, and lists of keys out of JSON columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Select, SQLColumnExpression, Text, Uuid, column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from governance.db.types import UtcDateTime


class database_now(FunctionElement[Any]):  # noqa: N801  (reads as SQL functions do)
    """The database's time: rights expire by one clock, whatever the hosts say."""

    name = "database_now"
    type = UtcDateTime()
    inherit_cache = True


class _Elements(FunctionElement[Any]):
    name = "elements"
    inherit_cache = True


class _Key(FunctionElement[Any]):
    name = "key"
    type = Uuid()
    inherit_cache = True


def keys_in(path: ColumnElement[Any]) -> Select[Any]:
    """The keys in a JSON list of keys (a node path): a SELECT to be used with IN."""
    elements = _Elements(path).table_valued(column("value", Text))
    return select(_Key(elements.c.value))


def texts_in(texts: ColumnElement[Any]) -> Select[Any]:
    """The texts in a JSON list of texts, likewise; from a column, or as JSON in a parameter."""
    return select(_Elements(texts).table_valued(column("value", Text)).c.value)


class _Among(FunctionElement[bool]):
    name = "among"
    type = Boolean()
    inherit_cache = True


def among(key: SQLColumnExpression[Any], keys: Select[Any]) -> ColumnElement[bool]:
    """Whether a column holds one of a few keys: IN, for a column with an index and keys found by the same statement.

    PostgreSQL plans IN as a join, and where it expects many keys it reads the whole table. The keys as an array are
    looked up in the index, one by one.
    """
    return _Among(key, keys.scalar_subquery())


@compiles(_Among, "postgresql")
def _among_on_postgresql(element: _Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    key, keys = (compiler.process(one, **options) for one in element.clauses)
    return f"{key} = ANY (ARRAY{keys})"


@compiles(_Among, "sqlite")
def _among_on_sqlite(element: _Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    key, keys = (compiler.process(one, **options) for one in element.clauses)
    return f"{key} IN {keys}"


@compiles(_Elements, "postgresql")
def _elements_on_postgresql(element: _Elements, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"jsonb_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS JSONB))"


@compiles(_Elements, "sqlite")
def _elements_on_sqlite(element: _Elements, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Key, "postgresql")
def _key_on_postgresql(element: _Key, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"CAST({compiler.process(element.clauses, **options)} AS UUID)"


@compiles(_Key, "sqlite")
def _key_on_sqlite(element: _Key, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"replace({compiler.process(element.clauses, **options)}, '-', '')"  # keys are kept without hyphens


@compiles(database_now, "postgresql")
def _now_on_postgresql(_element: database_now, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401
    return "clock_timestamp()"


@compiles(database_now, "sqlite")
def _now_on_sqlite(_element: database_now, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401
    return "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')"  # as wide as UtcDateTime writes it
