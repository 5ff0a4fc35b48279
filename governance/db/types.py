"""Column types that mean the same on PostgreSQL and SQLite."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import JSON, DateTime, Dialect, Numeric, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

EXACT_STEP = Decimal("1E-12")
"""The finest amount of money that is kept."""
_EXACT = Context(prec=38, traps=[Inexact, InvalidOperation])

JsonDocument = JSON().with_variant(JSONB(), "postgresql")


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562, section 5.7): keys sort by the time of their making."""
    return uuid_utils.compat.uuid7()


class Exact(TypeDecorator[Decimal]):
    """An exact amount of money or a price: NUMERIC(38, 12) on PostgreSQL. SQLite would keep a float, so there it is
    text, on which no arithmetic is done."""

    impl = Numeric(38, 12)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native = Numeric(38, 12) if dialect.name == "postgresql" else String(54)
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ANN401
        if value is None:
            return None
        if value != value.quantize(EXACT_STEP, context=_EXACT):
            raise ValueError(f"{value} has more than twelve decimals")
        return value if dialect.name == "postgresql" else f"{value:f}"

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401, ARG002
        return None if value is None else Decimal(value).quantize(EXACT_STEP, context=_EXACT)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, in UTC. SQLite keeps ISO 8601 text of fixed width, so that comparing text compares time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native = DateTime(timezone=True) if dialect.name == "postgresql" else String(32)
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401  (the driver's own type)
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return value.astimezone(UTC) if isinstance(value, datetime) else None
