"""The tree of departments and projects: a node by its name, the way up to the root, everything below the root."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from governance.errors import NotFound
from governance.identity.tables import Node, Person


@dataclass(frozen=True, slots=True)
class Branch:
    """A node with everything below it, children by name."""

    node: Node
    children: tuple[Branch, ...]


def node_by_name(session: Session, kind: str, name: str) -> Node:
    """The department or project of that name. Raises NotFound; a retired node is not found."""
    found = session.exec(
        select(Node).where(Node.kind == kind, Node.name == name, col(Node.retired_at).is_(None))
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no {kind} {name}.", field=kind, remedy="See: governance quota tree.")
    return found


def node_named(session: Session, reference: str) -> Node:
    """The node that a person or a rule means: an id as text, else a department's name, else a project's.

    Raises NotFound.
    """
    named = Node.name == reference
    id_ = _as_id(reference)
    rows = session.exec(
        select(Node).where((Node.id == id_) if id_ else named, col(Node.retired_at).is_(None)).order_by(Node.kind)
    ).all()
    if not rows:
        raise NotFound(f"There is no department or project {reference}.", field="node")
    return rows[0]


def path_of(session: Session, node_id: UUID) -> tuple[Node, ...]:
    """The node and its ancestors, the root last, in one read. Raises NotFound."""
    up = select(col(Node.id), col(Node.parent_id)).where(Node.id == node_id).cte("up", recursive=True)
    up = up.union_all(select(col(Node.id), col(Node.parent_id)).where(col(Node.id) == up.c.parent_id))
    rows = session.exec(select(Node).where(col(Node.id).in_(select(up.c.id))).order_by(col(Node.depth).desc())).all()
    if not rows:
        raise NotFound("There is no such department or project.", field="node")
    return tuple(rows)


def path_ids(session: Session, node_id: UUID) -> tuple[str, ...]:
    """The path as permissions and charges name it: ids as text, the node first, the root last. Raises NotFound."""
    return tuple(str(node.id) for node in path_of(session, node_id))


def currency_of(session: Session) -> str:
    """The currency in which the ledger counts `credits`: the root's."""
    root = select(Node.currency).where(col(Node.parent_id).is_(None), col(Node.retired_at).is_(None))
    return session.exec(root).one()


def owner_of(session: Session, path: Iterable[Node]) -> tuple[Person, Node] | None:
    """Who owns the first node of a path, and which node names them: the nearest with an owner. None: nobody does."""
    node = next((node for node in path if node.owner_id is not None), None)
    return None if node is None else (session.get_one(Person, node.owner_id), node)


def tree(session: Session) -> tuple[Branch, ...]:
    """Every node that is not retired, as trees from each root down."""
    children: dict[UUID | None, list[Node]] = defaultdict(list)
    for node in session.exec(select(Node).where(col(Node.retired_at).is_(None)).order_by(Node.name)):
        children[node.parent_id].append(node)

    def branch(node: Node) -> Branch:
        return Branch(node, tuple(branch(child) for child in children[node.id]))

    return tuple(branch(root) for root in children[None])


def nodes_below(session: Session, node_id: UUID) -> set[UUID]:
    """A node and everything below it, retired nodes as well: what they cost stays."""
    children: dict[UUID | None, list[UUID]] = defaultdict(list)
    for one, parent in session.exec(select(Node.id, Node.parent_id)):
        children[parent].append(one)
    found, open_ = {node_id}, [node_id]
    while open_:
        below = children[open_.pop()]
        found.update(below)
        open_ += below
    return found


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
