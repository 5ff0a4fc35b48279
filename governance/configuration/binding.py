"""Who pays for a part of a scope, as its row has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from governance.configuration.writing import node_ids, paths
from governance.identity.tables import Node
from governance.quota.tables import Binding


@dataclass(frozen=True, slots=True)
class Bound:
    """Who pays: a project, nobody because it is exempt, or (both empty) nobody said."""

    project: str | None = None
    exempt: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """What a binding's row says of the project that pays."""

    nodes: Mapping[str, UUID]
    paths: Mapping[UUID, list[str]]
    autoscaling: Mapping[UUID, str]

    @classmethod
    def read(cls, session: Session) -> Tree:
        """The tree in force."""
        policies = session.exec(select(Node.id, Node.autoscaling).where(col(Node.retired_at).is_(None)))
        return cls(node_ids(session), paths(session), dict(policies.all()))


def settle(row: Binding, bound: Bound, tree: Tree, revision: int) -> None:
    """Make a row say who pays."""
    row.project_id = tree.nodes[bound.project] if bound.project else None
    row.exempt = bound.exempt
    row.path = tree.paths[row.project_id] if row.project_id else []
    row.autoscaling = tree.autoscaling[row.project_id] if row.project_id else "current"
    row.revision = revision
