"""Who reads a page, when, and which nodes they may look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from governance.identity.model import Permission, Principal, nodes_allowing
from governance.identity.tables import Node
from governance.web.formats import clock, day, deadline, moment, zone_of
from governance.web.views.parts import Moment


@dataclass(frozen=True, slots=True)
class Reader:
    """The person who reads, and the moment."""

    principal: Principal
    now: datetime
    zone: ZoneInfo

    def moment(self, at: datetime) -> Moment:
        return moment(at, self.now, self.zone)

    def clock(self, at: datetime) -> Moment:
        return clock(at, self.now, self.zone)

    def deadline(self, at: datetime) -> Moment:
        return deadline(at, self.now, self.zone)

    def day(self, at: datetime) -> str:
        return day(at, self.now, self.zone)


def reader_of(principal: Principal, now: datetime) -> Reader:
    """The reader, in their own time zone."""
    return Reader(principal, now, zone_of(principal.time_zone))


@dataclass(frozen=True)
class Nodes:
    """The organisation as it stands, read once for a page. Retired nodes are kept, so that old pages can name them."""

    by_id: Mapping[UUID, Node]

    @cached_property
    def children(self) -> Mapping[UUID | None, tuple[Node, ...]]:
        """The living children of each node, by title."""
        found: dict[UUID | None, list[Node]] = {}
        for node in sorted(self.by_id.values(), key=lambda one: one.title.casefold()):
            if node.retired_at is None:
                found.setdefault(node.parent_id, []).append(node)
        return {parent: tuple(nodes) for parent, nodes in found.items()}

    def path(self, node_id: UUID) -> tuple[Node, ...]:
        """From the node up to the root; empty for a node that is not known."""
        path: list[Node] = []
        node = self.by_id.get(node_id)
        while node is not None:
            path.append(node)
            node = self.by_id.get(node.parent_id) if node.parent_id else None
        return tuple(path)

    def path_ids(self, node_id: UUID) -> tuple[str, ...]:
        """The same as permissions take it."""
        return tuple(str(node.id) for node in self.path(node_id))

    def below(self, tops: Iterable[UUID]) -> frozenset[UUID]:
        """These nodes and everything below them; of retired ones too, so that history stays readable."""
        chosen = frozenset(tops)
        return frozenset(one for one in self.by_id if any(node.id in chosen for node in self.path(one)))

    def visible(self, principal: Principal, permission: Permission) -> frozenset[UUID]:
        """The nodes at which the principal has the permission by a role."""
        return self.below(UUID(node) for node in nodes_allowing(principal, permission))

    def label(self, node_id: UUID | None) -> str:
        """`radiology/ct-training` for a project, the name of a department, nothing for nobody."""
        path = self.path(node_id) if node_id else ()
        if not path:
            return ""
        return f"{path[1].name}/{path[0].name}" if path[0].kind == "project" and len(path) > 1 else path[0].name

    def named(self, name: str) -> Node | None:
        """The department or project of that name or title, a department first."""
        short = name.rpartition("/")[2]
        found = [one for one in self.by_id.values() if one.name == short]
        return min(found, key=lambda one: (one.retired_at is not None, one.kind), default=None)

    def titles(self) -> dict[str, str]:
        """Titles by id, and by the name under which policy knows a node."""
        by_id = {str(one.id): one.title for one in self.by_id.values()}
        return {self.label(one.id): one.title for one in self.by_id.values()} | by_id

    def root_title(self) -> str:
        """What the whole is called."""
        roots = self.children.get(None, ())
        return roots[0].title if roots else ""


def href_for(node: Node, nodes: Nodes, reader: Reader) -> str:
    """The same for a reader who may open it; empty for whoever may not."""
    return href_of(node) if node.id in nodes.visible(reader.principal, Permission.QUOTA_READ) else ""


def href_of(node: Node) -> str:
    """The page of a department or project."""
    return f"/quotas/{node.kind}/{node.name}"


def nodes_of(session: Session) -> Nodes:
    """Every node, in one read. An organisation has hundreds, not millions."""
    return Nodes({node.id: node for node in session.exec(select(Node).order_by(col(Node.name)))})
