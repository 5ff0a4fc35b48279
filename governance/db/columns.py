"""Columns that every room declares the same way."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Column
from sqlmodel import Field

from governance.db.types import Exact, JsonDocument, UtcDateTime, new_id


def key() -> Any:  # noqa: ANN401  (what SQLModel's Field returns)
    """A primary key: UUIDv7, made by us."""
    return Field(default_factory=new_id, primary_key=True)


def instant(*, optional: bool = False, index: bool = False) -> Any:  # noqa: ANN401
    """An aware instant in UTC."""
    column: Column[datetime] = Column(UtcDateTime(), nullable=optional, index=index)
    return Field(default=None, sa_column=column) if optional else Field(sa_column=column)


def document(default: type[dict[str, Any]] | type[list[Any]] | None = dict) -> Any:  # noqa: ANN401
    """A JSON document: an object, a list, or (default None) nothing."""
    column: Column[Any] = Column(JsonDocument, nullable=default is None)
    return (
        Field(default=None, sa_column=column) if default is None else Field(default_factory=default, sa_column=column)
    )


def exact(*, optional: bool = False) -> Any:  # noqa: ANN401
    """An exact amount of money or a price."""
    column: Column[Decimal] = Column(Exact(), nullable=optional)
    return Field(default=None, sa_column=column) if optional else Field(sa_column=column)


def whole(*, optional: bool = False) -> Any:  # noqa: ANN401
    """A ledger amount: a signed 64-bit integer."""
    column: Column[int] = Column(BigInteger, nullable=optional)
    return Field(default=None if optional else 0, sa_column=column)
