"""What the rooms are given when an apply writes their rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from governance.configuration.model import Manifests, Plan
from governance.identity.tables import Node


@dataclass(frozen=True, slots=True)
class Writing:
    """One apply: its transaction, the whole wanted configuration, what changes, and the revision that it makes."""

    session: Session
    wanted: Manifests
    plan: Plan
    revision: int
    now: datetime

    def deleted(self, kind: str) -> list[str]:
        """The manifests of this kind that are no longer wanted."""
        return [one.name for one in self.plan.deletes if one.kind == kind]


def node_ids(session: Session) -> dict[str, UUID]:
    """Every department and project in force, by name: no two share one."""
    rows = session.exec(select(Node.name, Node.id).where(col(Node.retired_at).is_(None)))
    return dict(rows.all())


def paths(session: Session) -> dict[UUID, list[str]]:
    """The way from every node in force up to the root: ids as text, the node first."""
    parents = dict(session.exec(select(Node.id, Node.parent_id).where(col(Node.retired_at).is_(None))).all())
    found: dict[UUID, list[str]] = {}
    for node in parents:
        path, current = list[str](), node
        while True:
            path.append(str(current))
            above = parents[current]
            if above is None:
                break
            current = above
        found[node] = path
    return found
