"""Limits and the tree: what an apply of the configuration means for the ledger, and allowances that end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import Session, col

from governance.quota.model import LIVE, Position, UsageRow
from governance.quota.realign import misaligned, realign
from governance.quota.tables import Allowance, Binding, Charge
from governance.quota.totals import retotal
from governance.quota.write import UsageKey, lock_usage, mark_breaches, save_usage


@dataclass(frozen=True, slots=True)
class Limit:
    """What one Quota manifest sets for a node and a resource, in ledger units."""

    node_id: UUID
    resource: str
    hard: int
    lending: int | None = None  # None: all may be lent
    borrowing: int | None = None  # None: nothing may be borrowed
    rule: str = ""


def settle_tree(session: Session, limits: Iterable[Limit], now: datetime) -> int:
    """Make these the limits, all of them, and charge what exists along the tree as it is now.

    Call it last in the transaction that changed nodes, namespace bindings or quotas: a namespace that another project
    pays for, or a department that moved, takes its charges along, and what autoscalers scale is charged as policy now
    says. A limit may be cut below usage: a breach opens, and only decreases pass.

    Returns:
        how many charges moved.
    """
    moved = _move_charges(session)
    autoscalers = misaligned(session)
    rows = {
        (str(one.node_id), one.resource): UsageRow(
            str(one.node_id),
            one.resource,
            depth=0,  # set from the tree
            hard=one.hard,
            lending=one.lending,
            borrowing=one.borrowing,
            rule=one.rule,
        )
        for one in limits
    }
    retotal(session, rows, now)
    realign(session, autoscalers, now)
    return moved


def move(session: Session, now: datetime) -> int:
    """After a reorganisation or another binding, limits unchanged: charges follow the paths of their namespaces."""
    moved = _move_charges(session)
    autoscalers = misaligned(session)
    retotal(session, None, now)
    realign(session, autoscalers, now)
    return moved


@dataclass(frozen=True, slots=True)
class Ended:
    """An allowance whose time is over, and where its node stands without it."""

    grant_id: UUID
    amount: int
    standing: Position


def end_allowances(session: Session, now: datetime) -> list[Ended]:
    """End what is due: the guard falls back, increases are refused, and what is above the limit shows as a breach.

    Returns:
        those that ended now, whose owners are to be told in the same transaction.
    """
    due = select(Allowance).where(col(Allowance.ended_at).is_(None), col(Allowance.until) <= now)
    ids = due.with_only_columns(col(Allowance.charge_id))
    charges = select(Charge).where(col(Charge.id).in_(ids)).order_by(col(Charge.id)).with_for_update()
    held = list(session.scalars(charges))
    for charge in held:  # a plan that still counts on these allowances must be made again
        charge.version, charge.updated_at = charge.version + 1, now
    session.flush()
    mine = due.where(col(Allowance.charge_id).in_([charge.id for charge in held]))
    ended = list(session.scalars(mine.order_by(col(Allowance.id))))
    lowered: dict[UsageKey, int] = {}
    for one in ended:
        one.ended_at = now
        key = (str(one.node_id), one.resource)
        lowered[key] = lowered.get(key, 0) + one.amount
    session.flush()
    rows = lock_usage(session, {}, lowered)
    after = {key: replace(row, allowance=row.allowance - lowered[key]) for key, row in rows.items()}
    save_usage(session, list(after.values()))
    mark_breaches(session, (one.standing() for one in after.values()), now, None)
    return [Ended(one.grant_id, one.amount, after[str(one.node_id), one.resource].standing()) for one in ended]


def _move_charges(session: Session) -> int:
    """Locks every binding, so that no admission goes by an old path, then the charges whose path is another now."""
    bindings = session.scalars(select(Binding).order_by(col(Binding.scope), col(Binding.name)).with_for_update())
    bound = {(one.scope, one.name): one for one in bindings}
    moved = [
        (charge_id, one.project_id if way else None, way)
        for charge_id, scope, native_id, path in session.execute(
            select(col(Charge.id), col(Charge.scope), col(Charge.native_id), col(Charge.path)).where(
                col(Charge.state).in_(LIVE)
            )
        )
        if (one := bound.get((scope, native_id.split("/")[0]))) is not None
        and (way := [] if one.exempt else one.path) != path
    ]
    ids = [charge_id for charge_id, _, _ in moved]
    if ids:
        session.execute(
            select(col(Charge.id)).where(col(Charge.id).in_(ids)).order_by(col(Charge.id)).with_for_update()
        )
    for charge_id, project_id, way in moved:
        session.execute(
            update(Charge)
            .where(col(Charge.id) == charge_id)
            .values(path=way, project_id=project_id, version=col(Charge.version) + 1)
        )
    return len(moved)
