"""What stands in the way of deleting a project, a scope or a cloud's binding: charges in the ledger, open changes."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from governance.change.tables import ChangeRequest
from governance.configuration.writing import Writing
from governance.errors import Conflict
from governance.identity.tables import Node
from governance.quota.model import LIVE
from governance.quota.tables import Binding, Charge

_NAMED_MAX = 3


def refuse_while_held(writing: Writing) -> None:
    """Refuse to delete what is still in use.

    Called after the namespaces were locked by being written, so that a reservation that was under way has ended and
    the next one sees the new binding, and before charges follow their namespaces.

    Raises:
        Conflict: names what holds it.
    """
    refuse_held([*_held_projects(writing), *_held_clusters(writing)])


def refuse_held(held: Sequence[str]) -> None:
    """Refuse, where anything is held. Raises Conflict with the first sentence."""
    if held:
        more = f" ({len(held) - 1} more are held.)" if len(held) > 1 else ""
        raise Conflict(held[0] + more, remedy="Delete what it holds, or let another project pay for it.")


def _held_projects(writing: Writing) -> list[str]:
    names = writing.deleted("Project")
    if not names:
        return []
    session, gone, found = writing.session, set(writing.deleted("Department")), list[str]()
    rows = session.exec(select(Node).where(Node.kind == "project", col(Node.name).in_(names)))
    for row in rows.all():
        parent = session.get(Node, row.parent_id) if row.parent_id else None
        of = f" of the department {parent.name}" if parent is not None and parent.name in gone else ""
        charges = _staying(session, row.id)
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


def _staying(session: Session, project: UUID) -> list[Charge]:
    """The project's charges that nobody would pay for: their namespace is bound to no other project."""
    bindings = session.exec(
        select(Binding).where(or_(col(Binding.project_id).is_not(None), col(Binding.exempt).is_(True)))
    )
    elsewhere = {(one.scope, one.name) for one in bindings}
    charges = session.exec(
        select(Charge).where(Charge.project_id == project, col(Charge.state).in_(LIVE)).order_by(Charge.native_id)
    )
    return [one for one in charges if (one.scope, one.native_id.split("/")[0]) not in elsewhere]


def _held_clusters(writing: Writing) -> list[str]:
    found = []
    for name in writing.deleted("Cluster"):
        found += held(writing.session, f"cluster {name}", Charge.scope == name)
    return found


def held(session: Session, what: str, *where: ColumnElement[bool] | bool) -> list[str]:
    """That it cannot be deleted, if there are live charges of which this is true."""
    live = select(Charge).where(*where, col(Charge.state).in_(LIVE))
    charges = session.exec(live.order_by(Charge.native_id)).all()
    return [f"The {what} cannot be deleted: it holds {_named(charges)}."] if charges else []


def _named(charges: Sequence[Charge]) -> str:
    count = len(charges)
    first = ", ".join(f"{one.kind} {one.native_id}" for one in charges[:_NAMED_MAX])
    more = f" and {count - _NAMED_MAX} more" if count > _NAMED_MAX else ""
    return f"{count} charge{'s' if count > 1 else ''} ({first}{more})"
