"""What stands in the way of deleting or moving a node or a cluster: charges in the ledger, and open change requests."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import col, select

from governance.change.tables import ChangeRequest
from governance.configuration.writing import Writing, node_ids, paths
from governance.errors import Conflict
from governance.identity.tables import Node
from governance.quota.model import LIVE
from governance.quota.tables import Charge

_NAMED_MAX = 3
_WAYS_UP = {("Department", "parent"), ("Project", "department")}


def refuse_while_held(writing: Writing) -> None:
    """Refuse to delete or move what is still in use.

    Called after the namespaces were locked by being written: a reservation that was under way has ended by then, and
    the next one sees the new binding.

    Raises:
        Conflict: names what holds it.
    """
    held = [*_held_projects(writing), *_held_clusters(writing), *_held_moves(writing)]
    if held:
        more = f" ({len(held) - 1} more are held.)" if len(held) > 1 else ""
        raise Conflict(held[0] + more, remedy="Delete the workloads first.")


def _held_projects(writing: Writing) -> list[str]:
    names = writing.deleted("Project")
    if not names:
        return []
    session, gone, found = writing.session, set(writing.deleted("Department")), list[str]()
    rows = session.exec(select(Node).where(Node.kind == "project", col(Node.name).in_(names)))
    for row in rows.all():
        parent = session.get(Node, row.parent_id) if row.parent_id else None
        of = f" of the department {parent.name}" if parent is not None and parent.name in gone else ""
        charges = session.exec(
            select(Charge).where(Charge.project_id == row.id, col(Charge.state).in_(LIVE)).order_by(Charge.native_id)
        ).all()
        if charges:
            found.append(f"The project {row.name}{of} cannot be deleted: it holds {_named(charges)}.")
        changes = session.exec(
            select(ChangeRequest.number).where(
                ChangeRequest.project_id == row.id, col(ChangeRequest.open_digest).is_not(None)
            )
        ).all()
        if changes:
            numbers = ", ".join(f"CH-{number}" for number in changes[:_NAMED_MAX])
            found.append(f"The project {row.name}{of} cannot be deleted: {numbers} is still open.")
    return found


def _held_clusters(writing: Writing) -> list[str]:
    found = []
    for name in writing.deleted("Cluster"):
        charges = writing.session.exec(
            select(Charge)
            .where(Charge.scope_kind == "kubernetes", Charge.scope == name, col(Charge.state).in_(LIVE))
            .order_by(Charge.native_id)
        ).all()
        if charges:
            found.append(f"The cluster {name} cannot be deleted: it holds {_named(charges)}.")
    return found


def _held_moves(writing: Writing) -> list[str]:
    """A department or project that moves while it holds charges: they are charged along the old way up."""
    moved = [
        one.name
        for one in writing.plan.differences
        if one.action == "update" and any((one.kind, field.field) in _WAYS_UP for field in one.fields)
    ]
    if not moved:
        return []
    ids, found = node_ids(writing.session), list[str]()
    ways = paths(writing.session)
    live = writing.session.exec(select(Charge).where(col(Charge.state).in_(LIVE)).order_by(Charge.native_id)).all()
    for name in moved:
        below = {node for node, way in ways.items() if str(ids[name]) in way}
        charges = [one for one in live if one.project_id in below]
        if charges:
            found.append(f"{name} cannot move in the tree: it holds {_named(charges)}.")
    return found


def _named(charges: Sequence[Charge]) -> str:
    count = len(charges)
    first = ", ".join(f"{one.kind} {one.native_id}" for one in charges[:_NAMED_MAX])
    more = f" and {count - _NAMED_MAX} more" if count > _NAMED_MAX else ""
    return f"{count} charge{'s' if count > 1 else ''} ({first}{more})"
