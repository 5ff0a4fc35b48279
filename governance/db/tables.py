"""The table that belongs to no room: gapless counters."""

from __future__ import annotations

from sqlmodel import Field

from governance.db.base import Table


class Counter(Table, table=True):
    """Gapless numbers, drawn inside the transaction that uses them: `change`, `config_revision`, ..."""

    __tablename__ = "counter"

    name: str = Field(primary_key=True)
    value: int
