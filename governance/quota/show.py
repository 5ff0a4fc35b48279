"""How nodes stand: what they may take, hold, and have left, by resource. The command and the pages both say this."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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

    @property
    def taken(self) -> int:
        """All that counts against the limit."""
        return self.used + self.held + self.kept

    @property
    def limit(self) -> int | None:
        """What may be taken at most now: hard, what may be borrowed, and what is allowed for a time; None: no limit."""
        return None if self.hard is None else self.hard + (self.borrowing or 0) + self.allowance


def status(session: Session, node_id: UUID) -> tuple[Status, ...]:
    """How a node stands, by resource name."""
    return statuses(session, {node_id})[node_id]


def statuses(session: Session, node_ids: Collection[UUID]) -> dict[UUID, tuple[Status, ...]]:
    """How nodes stand, each by resource name. Reads the totals, and of the charges only those not seen in full."""
    nodes = session.exec(select(Node.id, Node.parent_id).order_by(col(Node.depth).desc())).all()
    rows: dict[UUID, dict[str, Usage]] = {node: {} for node, _ in nodes}
    for row in session.exec(select(Usage).where(Usage.scope == "").order_by(Usage.resource)):
        rows[row.node_id][row.resource] = row
    kept, held = _kept(nodes, rows), _held(session, nodes)
    return {
        node: tuple(_status(row, kept[node].get(name, 0), held[node][name]) for name, row in rows[node].items())
        for node in node_ids
    }


def _status(row: Usage, kept: int, unseen: int) -> Status:
    held = max(0, min(unseen, row.used - kept))
    shown = Status(
        resource=row.resource,
        hard=row.hard,
        held=held,
        used=row.used - kept - held,
        kept=kept,
        available=None,
        borrowed=0 if row.hard is None else max(0, row.used - row.hard),
        borrowing=row.borrowing,
        lending=row.lending,
        allowance=row.allowance,
        rule=row.rule,
    )
    limit = shown.limit
    return shown if limit is None else replace(shown, available=max(0, limit - row.used))


def _kept(
    nodes: Sequence[tuple[UUID, UUID | None]], rows: Mapping[UUID, Mapping[str, Usage]]
) -> Mapping[UUID, Mapping[str, int]]:
    """By node and resource: what the nodes below draw beyond what they use. The deepest nodes come first."""
    kept: dict[UUID, dict[str, int]] = {node: {} for node, _ in nodes}
    for node, parent in nodes:
        if parent is None:
            continue
        for name in set(rows[node]) | set(kept[node]):
            row = rows[node].get(name)
            idle = kept[node].get(name, 0) + (row.drawn - row.used if row else 0)
            kept[parent][name] = kept[parent].get(name, 0) + idle
    return kept


def _held(session: Session, nodes: Sequence[tuple[UUID, UUID | None]]) -> Mapping[UUID, ResourceList]:
    """By node: what live charges at or below it reserve that was not seen."""
    unseen = select(Charge.project_id, Charge.level, Charge.confirmed).where(
        col(Charge.state).in_(LIVE), col(Charge.level) != col(Charge.confirmed)
    )
    held: dict[UUID, ResourceList] = {node: EMPTY for node, _ in nodes}
    for project, level, confirmed in session.exec(unseen):
        if project is not None:
            held[project] += ResourceList(level) - ResourceList(confirmed)
    for node, parent in nodes:
        if parent is not None:
            held[parent] += held[node]
    return held
