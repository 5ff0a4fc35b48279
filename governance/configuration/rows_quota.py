"""Quotas become limits in the ledger's usage rows; what each node passes up is settled again, from the leaves up."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from governance.configuration.specs import Quota, amounts
from governance.configuration.writing import Writing, node_ids
from governance.identity.tables import Node
from governance.quota.model import LIVE
from governance.quota.tables import Charge, Usage

_AFFECTS = {"Quota", "Department", "Project"}


@dataclass(frozen=True, slots=True)
class _Limit:
    hard: int
    lending: int | None
    borrowing: int | None
    rule: str


def write(writing: Writing) -> None:
    """Make the limits as wanted, if limits or the tree change: it locks every usage row for a moment."""
    if not any(one.kind in _AFFECTS for one in writing.plan.differences):
        return
    session, nodes = writing.session, node_ids(writing.session)
    wanted: dict[tuple[UUID, str], _Limit] = {}
    for name, quota in writing.wanted.specs(Quota).items():
        node, lent, borrowed = (
            quota.for_.department or quota.for_.project,
            amounts(quota.lending_limit),
            amounts(quota.borrowing_limit),
        )
        for resource, hard in amounts(quota.hard).items():
            wanted[nodes[str(node)], resource] = _Limit(hard, lent.get(resource), borrowed.get(resource), name)
    _set(session, wanted)


def _set(session: Session, wanted: dict[tuple[UUID, str], _Limit]) -> None:
    nodes = {one.id: one for one in session.exec(select(Node))}
    locked = session.exec(select(Usage).where(Usage.scope == "").order_by(col(Usage.depth).desc()).with_for_update())
    rows = {(one.node_id, one.resource): one for one in locked.all()}
    for node, resource in wanted.keys() - rows.keys():
        above: UUID | None = node
        while above is not None and (above, resource) not in rows:
            rows[above, resource] = Usage(node_id=above, resource=resource, depth=nodes[above].depth)
            above = nodes[above].parent_id
    for key, row in rows.items():
        limit = wanted.get(key)
        row.hard, row.lending, row.borrowing = (limit.hard, limit.lending, limit.borrowing) if limit else (None,) * 3
        row.rule = limit.rule if limit else ""
    charged = _charged(session)
    passed_up: dict[tuple[UUID, str], int] = defaultdict(int)
    for row in sorted(rows.values(), key=lambda one: -nodes[one.node_id].depth):
        row.depth = nodes[row.node_id].depth
        row.used = charged[row.node_id, row.resource] + passed_up[row.node_id, row.resource]
        row.drawn = max(row.used, _guaranteed(row))
        parent = nodes[row.node_id].parent_id
        if parent is not None:
            passed_up[parent, row.resource] += row.drawn
        session.add(row)
    session.flush()


def _charged(session: Session) -> dict[tuple[UUID, str], int]:
    """What live charges take of each project; read after usage was locked, so that who is at a charge waits for us."""
    taken: dict[tuple[UUID, str], int] = defaultdict(int)
    for project, level in session.exec(select(Charge.project_id, Charge.level).where(col(Charge.state).in_(LIVE))):
        if project is not None:
            for resource, amount in level.items():
                taken[project, resource] += amount
    return taken


def _guaranteed(row: Usage) -> int:
    if row.hard is None or (row.lending is None and row.depth > 0):
        return 0
    return max(0, row.hard - (row.lending or 0))
