"""Who may see a change: the one answer of pages and API (docs/access.md, "Roles")."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, false, or_
from sqlmodel import Session, col, select

from governance.change.read import Standing, reviews_waiting_for, waiting_for
from governance.change.tables import ChangeRequest, Review
from governance.identity.model import Principal


def may_see(standing: Standing, principal: Principal, nodes: Collection[UUID]) -> bool:
    """Whether somebody may see a change: by a role at its project, for having asked or acted, for being of a group that
    must speak or acting for somebody of one, or for having spoken.

    Args:
        nodes: where the principal may see changes by a role.
    """
    change, me = standing.change, principal.person_id
    return (
        change.project_id in nodes
        or me in {change.requester_id, change.actor_id}
        or _needs_group(change, principal)
        or standing.speaks(me)
        or any(one.person_id == me for one in standing.reviews)
    )


def visible(session: Session, principal: Principal, nodes: Collection[UUID], now: datetime) -> ColumnElement[bool]:
    """The same as a condition on ChangeRequest. What somebody sees only for acting for another is what waits for it."""
    named = [cast(ChangeRequest.rules, Text).contains(f'"{group}"', autoescape=True) for group in principal.groups]
    candidates = session.exec(select(ChangeRequest).where(or_(false(), *named))).all() if named else ()
    waiting = (
        waiting_for(session, principal.person_id, now),
        reviews_waiting_for(session, principal.person_id, now),
    )
    return or_(
        col(ChangeRequest.project_id).in_(nodes),
        col(ChangeRequest.requester_id) == principal.person_id,
        col(ChangeRequest.actor_id) == principal.person_id,
        col(ChangeRequest.id).in_([one.id for one in candidates if _needs_group(one, principal)]),
        col(ChangeRequest.id).in_([standing.change.id for those in waiting for standing in those]),
        col(ChangeRequest.id).in_(select(Review.change_id).where(Review.person_id == principal.person_id)),
    )


def _needs_group(change: ChangeRequest, principal: Principal) -> bool:
    return any(need["group"] in principal.groups for need in change.rules)
