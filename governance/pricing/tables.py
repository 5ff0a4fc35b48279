"""Prices: what a thing of a provider costs an hour, from when until when. A new price never rewrites an old one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index

from governance.db.base import Table
from governance.db.columns import exact, instant, key


class Price(Table, table=True):
    """What one of an item costs an hour, while it is in force."""

    __tablename__ = "price"
    __table_args__ = (Index(None, "item", "provider"),)

    id: UUID = key()
    provider: str  # aws, azure
    region: str  # empty: wherever no other says
    item: str  # a machine type
    per_hour: Decimal = exact()
    currency: str
    table: str  # the PriceTable manifest that says so
    revision: int  # of the configuration
    valid_from: datetime = instant()
    valid_to: datetime | None = instant(optional=True)  # None: in force
