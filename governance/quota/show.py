"""How a node stands: what it may take, what it holds, and what is left, by resource."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from governance.identity.tables import Node
from governance.quota.model import LIVE
from governance.quota.tables import Charge, Usage
from governance.units import EMPTY, ResourceList


@dataclass(frozen=True, slots=True)
class Status:
    """One resource at a node, in ledger units; charges below the node included.

    hard: None: no limit.
    held: reserved by admissions, not seen yet; used: seen.
    kept: guaranteed to nodes below and not used by them: nobody else may have it.
    available: what may still be taken here, borrowing and allowances included; None: no limit. A node above may
        have less left.
    borrowed: how far it is above its own limit.
    """

    resource: str
    hard: int | None
    held: int
    used: int
    kept: int
    available: int | None
    borrowed: int
    borrowing: int | None
    lending: int | None
    allowance: int
    rule: str


def status(session: Session, node_id: UUID) -> tuple[Status, ...]:
    """How a node stands, by resource name."""
    rows = session.exec(select(Usage).where(Usage.node_id == node_id, Usage.scope == "").order_by(Usage.resource)).all()
    level, confirmed = _charged(session, node_id)
    return tuple(_status(row, level[row.resource], confirmed[row.resource]) for row in rows)


def _status(row: Usage, level: int, confirmed: int) -> Status:
    limit = None if row.hard is None else row.hard + (row.borrowing or 0) + row.allowance
    return Status(
        resource=row.resource,
        hard=row.hard,
        held=max(0, level - confirmed),
        used=min(level, confirmed),
        kept=max(0, row.used - level),
        available=None if limit is None else max(0, limit - row.used),
        borrowed=0 if row.hard is None else max(0, row.used - row.hard),
        borrowing=row.borrowing,
        lending=row.lending,
        allowance=row.allowance,
        rule=row.rule,
    )


def _charged(session: Session, node_id: UUID) -> tuple[ResourceList, ResourceList]:
    """The level of all live charges at the node and below, and how much of it was seen."""
    down = select(col(Node.id)).where(Node.id == node_id).cte("down", recursive=True)
    down = down.union_all(select(col(Node.id)).where(col(Node.parent_id) == down.c.id))
    charges = session.exec(
        select(Charge.level, Charge.confirmed).where(
            col(Charge.project_id).in_(select(down.c.id)), col(Charge.state).in_(LIVE)
        )
    )
    level = confirmed = EMPTY
    for one, seen in charges:
        level, confirmed = level + ResourceList(one), confirmed + ResourceList(seen)
    return level, confirmed
