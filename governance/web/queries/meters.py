"""Meters out of the ledger: what nodes take now, what of it is only reserved, and what a request would add."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlmodel import Session, col, select

from governance.change.model import QuotaRow
from governance.identity.tables import Node
from governance.quota.model import LIVE
from governance.quota.tables import Charge, Usage
from governance.units import EMPTY, ResourceList
from governance.web.meters import meter
from governance.web.reader import Nodes, href_of
from governance.web.views.change import NodeMeters
from governance.web.views.parts import Meter
from governance.wording import scarcest_first

_PRESSED = 750_000  # of a million: from three quarters on a limit is shown without asking
_PRESSED_LEAST = 2  # so many are shown in any case
_HIDDEN = ("limits.", "count/")  # shown on the node's own page, not where room is short


@dataclass(frozen=True, slots=True)
class Ledger:
    """Usage by node and resource, and what of it is held, by node."""

    usage: Mapping[UUID, tuple[Usage, ...]]
    held: Mapping[str, ResourceList] = field(default_factory=dict)

    def meters(self, node_id: UUID, adds: ResourceList = EMPTY, *, only: Collection[str] | None = None) -> list[Meter]:
        """The node's meters, fullest first; `only` these resources where given."""
        rows = [row for row in self.usage.get(node_id, ()) if only is None or row.resource in only]
        return [self.meter(row, adds) for row in sorted(rows, key=lambda row: fullness(row, adds), reverse=True)]

    def meter(self, row: Usage, adds: ResourceList = EMPTY, *, title: str = "", href: str = "") -> Meter:
        """One meter."""
        held = self.held_at(row)
        return meter(
            row.resource,
            used=row.used - held,
            held=held,
            adds=adds[row.resource],
            hard=row.hard,
            borrowable=row.borrowing or 0,
            allowance=row.allowance,
            title=title,
            href=href,
        )

    def held_at(self, row: Usage) -> int:
        """What of the usage stands for workloads that were admitted and not seen yet."""
        return min(self.held.get(str(row.node_id), EMPTY)[row.resource], row.used)


def fullness(row: Usage, adds: ResourceList = EMPTY) -> tuple[bool, int]:
    """How near to its limit, for sorting: without a limit last. In parts of a million, exact."""
    limit = limit_of(row)
    total = row.used + adds[row.resource]
    return (False, total) if limit is None else (True, total * 1_000_000 // max(limit, 1))


def limit_of(row: Usage) -> int | None:
    """What the node may take at most now: hard, what it may borrow, and what was allowed for a time."""
    return None if row.hard is None else row.hard + (row.borrowing or 0) + row.allowance


def ledger_of(session: Session, node_ids: Collection[UUID]) -> Ledger:
    """Read usage of these nodes, and what is held on them."""
    query = select(Usage).where(Usage.scope == "", col(Usage.node_id).in_(list(node_ids))).order_by(Usage.resource)
    usage: dict[UUID, list[Usage]] = {}
    for row in session.exec(query):
        if row.hard is not None or row.used:
            usage.setdefault(row.node_id, []).append(row)
    unseen = select(col(Charge.path), col(Charge.level), col(Charge.confirmed)).where(
        col(Charge.state).in_(LIVE), col(Charge.level) != col(Charge.confirmed)
    )
    held: dict[str, ResourceList] = {}
    for path, level, confirmed in session.exec(unseen):
        waiting = (ResourceList(level) - ResourceList(confirmed)).positive()
        for node in path:
            held[node] = held.get(node, EMPTY) + waiting
    return Ledger({node: tuple(rows) for node, rows in usage.items()}, held)


def path_meters(
    session: Session, nodes: Nodes, project_id: UUID, asked: Sequence[QuotaRow], *, adding: bool
) -> tuple[tuple[NodeMeters, ...], tuple[NodeMeters, ...]]:
    """The limits that a request touches on its way up: those that it presses, and those that have room.

    Args:
        asked: what rises at each node, as it was decided on; a parent may rise by less than its child.
        adding: whether it is still to be added; once it is used, usage holds it.
    """
    path = nodes.path(project_id)
    ledger = ledger_of(session, [node.id for node in path])
    rising: dict[str, dict[str, int]] = {}
    for row in asked:
        rising.setdefault(row.node_id, {})[row.resource] = row.increase
    touched = [
        (node, row, ResourceList(rising.get(str(node.id), {})) if adding else EMPTY)
        for node in path
        for row in sorted(ledger.usage.get(node.id, ()), key=lambda one: scarcest_first(one.resource))
        if row.hard is not None and rising.get(str(node.id), {}).get(row.resource)
    ]
    hardest = sorted(touched, key=lambda one: fullness(one[1], one[2]), reverse=True)
    pressed = [one for at, one in enumerate(hardest) if at < _PRESSED_LEAST or fullness(one[1], one[2])[1] >= _PRESSED]
    chosen = {(one[0].id, one[1].resource) for one in pressed}
    first = [one for one in touched if (one[0].id, one[1].resource) in chosen]
    rest = [one for one in touched if (one[0].id, one[1].resource) not in chosen]
    return _by_node(first, ledger), _by_node(rest, ledger)


def _by_node(touched: Sequence[tuple[Node, Usage, ResourceList]], ledger: Ledger) -> tuple[NodeMeters, ...]:
    found: dict[UUID, NodeMeters] = {}
    for node, row, adds in touched:
        earlier = found[node.id].meters if node.id in found else ()
        found[node.id] = NodeMeters(node.title, href_of(node), (*earlier, ledger.meter(row, adds)))
    return tuple(found.values())


def short_list(ledger: Ledger, node_id: UUID, most: int) -> tuple[tuple[Meter, ...], int]:
    """The fullest meters with a limit, and how many more there are."""
    rows = [row for row in ledger.usage.get(node_id, ()) if row.hard is not None]
    rows.sort(key=lambda row: (row.resource.startswith(_HIDDEN), *(-int(one) for one in fullness(row))))
    return tuple(ledger.meter(row) for row in rows[:most]), max(0, len(rows) - most)
