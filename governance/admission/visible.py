"""Who may see a decision: the one answer of pages and API (docs/access.md, "Roles")."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, or_
from sqlmodel import col

from governance.admission.tables import DecisionRow
from governance.identity.model import Permission, Principal, allows_everywhere


def may_see(row: DecisionRow, principal: Principal, nodes: Collection[UUID]) -> bool:
    """Whether somebody may see a decision: by a role at its project, for having asked, or for being of a group that it
    needs. What is bound to no project is seen by who may see all.

    Args:
        nodes: where the principal may see decisions by a role.
    """
    if row.person_id == principal.person_id or any(one["group"] in principal.groups for one in row.approvals):
        return True
    if row.project_id is None:
        return allows_everywhere(principal, Permission.DECISION_READ)
    return row.project_id in nodes


def visible(principal: Principal, nodes: Collection[UUID]) -> ColumnElement[bool]:
    """What of it stands in somebody's list: all of that, but what they see for a group alone."""
    unbound = [col(DecisionRow.project_id).is_(None)] if allows_everywhere(principal, Permission.DECISION_READ) else []
    mine = col(DecisionRow.person_id) == principal.person_id
    return or_(col(DecisionRow.project_id).in_(nodes), mine, *unbound)
