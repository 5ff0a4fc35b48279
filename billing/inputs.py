"""What a month is reckoned from: the files of its lines that are in force, and the resources that charges pay for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pyarrow as pa
from sqlalchemy import or_
from sqlmodel import Session, col, select

from billing.tables import CostBatch, CostHead
from governance.quota.tables import ChargeResource
from governance.units import Period

_LINKS = pa.schema(
    [
        ("provider", pa.string()),
        ("resource_key", pa.string()),
        ("charge", pa.string()),
        ("valid_from", pa.timestamp("us")),
        ("valid_to", pa.timestamp("us")),
    ]
)


def files_of(session: Session, period: Period) -> list[str]:
    """The files of a month's lines, in order. The same lines from two sources are counted once."""
    joined = select(CostBatch.file).join(CostHead, col(CostHead.batch_id) == col(CostBatch.id))
    return sorted(set(session.exec(joined.where(CostHead.period == str(period)))))


def resources_of(session: Session, period: Period) -> Sequence[ChargeResource]:
    """What was there in a month."""
    there = or_(col(ChargeResource.valid_to).is_(None), col(ChargeResource.valid_to) > period.start)
    of_it = select(ChargeResource).where(there, col(ChargeResource.valid_from) < period.end)
    return session.exec(of_it.order_by(col(ChargeResource.id))).all()


def links_of(resources: Iterable[ChargeResource]) -> pa.Table:
    """The same as the engine takes it; see `engine.apart`."""
    links = [
        {
            "provider": one.provider,
            "resource_key": one.resource_id,
            "charge": str(one.charge_id),
            "valid_from": _naive(one.valid_from),
            "valid_to": _naive(one.valid_to) if one.valid_to else None,
        }
        for one in resources
    ]
    return pa.Table.from_pylist(links, schema=_LINKS)


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)
