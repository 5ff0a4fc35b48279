"""What a person may see of lists: a role at a node shows what lies on and below it."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, select

from governance.errors import Forbidden
from governance.identity.model import Permission, Principal, allows_everywhere, nodes_allowing
from governance.identity.tables import Node


def nodes_under(session: Session, principal: Principal, permission: Permission) -> set[UUID]:
    """Every node for which the principal has this permission; of retired ones too, so that history stays readable."""
    held = nodes_allowing(principal, permission)
    parents = dict(session.exec(select(Node.id, Node.parent_id)).all())
    known: dict[UUID, bool] = {}

    def under(node: UUID | None) -> bool:
        if node is None:
            return False
        if node not in known:
            known[node] = str(node) in held or under(parents.get(node))
        return known[node]

    return {node for node in parents if under(node)}


def require_everywhere(principal: Principal, permission: Permission) -> None:
    """Raises Forbidden unless the principal has this permission at the root."""
    if not allows_everywhere(principal, permission):
        raise Forbidden(
            f"{principal.display_name} may not do this for the whole organisation: {permission.doc}",
            remedy="It needs a role at the root department.",
        )
