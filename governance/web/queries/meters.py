"""Meters out of the ledger: what nodes take now, what of it is only reserved or guaranteed, what a request adds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from governance.change.model import QuotaRow
from governance.identity.tables import Node
from governance.quota.show import Status, statuses
from governance.units import EMPTY, ResourceList
from governance.web.meters import meter
from governance.web.reader import Nodes, Reader, href_for
from governance.web.views.change import NodeMeters
from governance.web.views.parts import Meter
from governance.wording import scarcest_first

_PRESSED = 750_000  # of a million: from three quarters on a limit is shown without asking
_PRESSED_LEAST = 2  # so many are shown in any case
_HIDDEN = ("limits.", "count/")  # shown on the node's own page, not where room is short


@dataclass(frozen=True, slots=True)
class Ledger:
    """How nodes stand, by node and resource: as `governance quota show` says it."""

    standing: Mapping[UUID, tuple[Status, ...]]

    def meters(self, node_id: UUID, adds: ResourceList = EMPTY, *, only: Collection[str] | None = None) -> list[Meter]:
        """The node's meters, fullest first; `only` these resources where given."""
        rows = sorted(self.at(node_id), key=lambda row: fullness(row, adds), reverse=True)
        return [meter_of(row, adds) for row in rows if only is None or row.resource in only]

    def at(self, node_id: UUID) -> tuple[Status, ...]:
        """What is limited or taken at the node."""
        return tuple(row for row in self.standing.get(node_id, ()) if row.hard is not None or row.taken)


def meter_of(row: Status, adds: ResourceList = EMPTY, *, href: str = "") -> Meter:
    """One meter."""
    return meter(
        row.resource,
        used=row.used,
        held=row.held,
        kept=row.kept,
        adds=adds[row.resource],
        hard=row.hard,
        borrowable=row.borrowing or 0,
        allowance=row.allowance,
        href=href,
    )


def fullness(row: Status, adds: ResourceList = EMPTY) -> tuple[bool, int]:
    """How near to its limit, for sorting: without a limit last. In parts of a million, exact."""
    total = row.taken + adds[row.resource]
    return (False, total) if row.limit is None else (True, total * 1_000_000 // max(row.limit, 1))


def ledger_of(session: Session, node_ids: Collection[UUID]) -> Ledger:
    """Read how these nodes stand."""
    return Ledger(statuses(session, node_ids))


def path_meters(
    session: Session, nodes: Nodes, reader: Reader, project_id: UUID, asked: Sequence[QuotaRow], *, adding: bool
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
        for row in sorted(ledger.at(node.id), key=lambda one: scarcest_first(one.resource))
        if row.hard is not None and rising.get(str(node.id), {}).get(row.resource)
    ]
    hardest = sorted(touched, key=lambda one: fullness(one[1], one[2]), reverse=True)
    pressed = [one for at, one in enumerate(hardest) if at < _PRESSED_LEAST or fullness(one[1], one[2])[1] >= _PRESSED]
    chosen = {(one[0].id, one[1].resource) for one in pressed}
    first = [one for one in touched if (one[0].id, one[1].resource) in chosen]
    rest = [one for one in touched if (one[0].id, one[1].resource) not in chosen]
    hrefs = {node.id: href_for(node, nodes, reader) for node in path}
    return _by_node(first, hrefs), _by_node(rest, hrefs)


def _by_node(touched: Sequence[tuple[Node, Status, ResourceList]], hrefs: Mapping[UUID, str]) -> tuple[NodeMeters, ...]:
    found: dict[UUID, NodeMeters] = {}
    for node, row, adds in touched:
        earlier = found[node.id].meters if node.id in found else ()
        found[node.id] = NodeMeters(node.title, hrefs[node.id], (*earlier, meter_of(row, adds)))
    return tuple(found.values())


def short_list(ledger: Ledger, node_id: UUID, most: int) -> tuple[tuple[Meter, ...], int]:
    """The fullest meters with a limit, and how many more there are."""
    rows = [row for row in ledger.at(node_id) if row.hard is not None]
    rows.sort(key=lambda row: (row.resource.startswith(_HIDDEN), *(-int(one) for one in fullness(row))))
    return tuple(meter_of(row) for row in rows[:most]), max(0, len(rows) - most)
