"""Writing a plan, inside the caller's transaction: charges, objects, usage up the tree, allowances, breaches.

Locks are taken in one order everywhere: the namespace's binding, charges by id, usage by depth (deepest first).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, case, insert, select, update
from sqlmodel import Session, col

from governance.db.base import NewRow, table_of
from governance.db.insert import insert_into
from governance.db.types import new_id
from governance.quota.allowances import Changed, given
from governance.quota.facts import usage_row
from governance.quota.model import AllowanceState, ChargeState, ObjectState, Position, UsageRow, walk
from governance.quota.plan import Plan
from governance.quota.tables import Allowance, Binding, Breach, Charge, ChargeObject, Usage
from governance.units import ResourceList

UsageKey = tuple[str, str]  # node, resource


@dataclass(frozen=True, slots=True)
class Reserved:
    """It stands in the ledger."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Some node would go over its limit; nothing was written."""

    positions: tuple[Position, ...]  # those that are over


@dataclass(frozen=True, slots=True)
class Moved:
    """The rows that the plan was made from are not those in the ledger; read again. Nothing was written."""


Written = Reserved | Refused | Moved


def write(
    session: Session,
    plan: Plan,
    *,
    now: datetime,
    forced: bool,
    seen: bool = False,
    allowances: Sequence[AllowanceState] = (),
    charge_id: UUID | None = None,
) -> Written:
    """Write a plan. After Refused or Moved the caller must roll back.

    Args:
        forced: never refused by a limit; what is then above it opens a breach.
        seen: it is what the watch saw, not what somebody asked for.
        allowances: of a grant that this write consumes; they raise the guard in the same transaction, once.
        charge_id: on behalf of which charge it is written.
    """
    if not _unmoved(session, plan):
        return Moved()
    _write_charges(session, plan, now)
    raised = _change_allowances(session, plan.allowances, now)
    left = _left_of(session, allowances, charge_id)
    positions, needed = take(session, plan.deltas(), raised, left)
    if not forced and any(one.refused for one in positions):
        return Refused(tuple(one for one in positions if one.refused))
    _grant_allowances(session, allowances, charge_id, needed)
    _write_objects(session, plan, now if seen else None)
    if forced:
        mark_breaches(session, positions, now, charge_id)
    return Reserved()


def take(
    session: Session,
    deltas: Mapping[tuple[str, ...], ResourceList],
    raised: Mapping[UsageKey, int],
    left: Mapping[UsageKey, int] = MappingProxyType({}),
) -> tuple[tuple[Position, ...], dict[UsageKey, int]]:
    """Lock the usage rows of these paths and write what they become.

    Args:
        deltas: change at the project of each path.
        raised: change of the live allowances of a node.
        left: what a grant still allows, by node and resource; no more of it is used than is needed.

    Returns:
        the positions of every row that was touched, and how much of the grant is used.
    """
    wanted = {
        (node, resource): len(path) - 1 - place
        for path, delta in deltas.items()
        for place, node in enumerate(path)
        for resource in delta
    }
    before = lock_usage(session, wanted, raised)
    rows = {key: replace(row, allowance=row.allowance + raised.get(key, 0)) for key, row in before.items()}
    for path, delta in deltas.items():
        for one in walk(rows.values(), path, delta):
            key = (one.node_id, one.resource)
            rows[key] = replace(rows[key], used=one.used_after, drawn=one.drawn)
    needed = given(rows, {key: row.used for key, row in before.items()}, left)
    for key, amount in needed.items():
        rows[key] = replace(rows[key], allowance=rows[key].allowance + amount)
    save_usage(session, [row for key, row in rows.items() if row != before[key]])
    return tuple(_position(before[key], row) for key, row in rows.items()), needed


def _position(before: UsageRow, row: UsageRow) -> Position:
    return Position(
        row.node_id, row.resource, row.depth, before.used, row.used - before.used, row.limit, row.drawn, row.rule
    )


def lock_usage(
    session: Session, wanted: Mapping[UsageKey, int], others: Iterable[UsageKey] = ()
) -> dict[UsageKey, UsageRow]:
    """Lock usage rows, deepest first. Those in `wanted` (with their depth) are made if they are missing."""
    keys = {*wanted, *others}
    found = _usage_for_update(session, keys)
    missing = sorted(wanted.keys() - found.keys(), key=lambda key: (-wanted[key], key))
    if missing:
        create_usage(session, {key: wanted[key] for key in missing})
        found = _usage_for_update(session, keys)
    return found


def create_usage(session: Session, depths: Mapping[UsageKey, int]) -> None:
    """Make rows without a limit that have taken nothing; one that is there already stays."""
    rows = [
        {
            "node_id": UUID(node),
            "scope": "",
            "resource": resource,
            "depth": depth,
            "used": 0,
            "drawn": 0,
            "allowance": 0,
            "rule": "",
        }
        for (node, resource), depth in depths.items()
    ]
    if rows:
        session.connection().execute(insert_into(session, Usage).on_conflict_do_nothing(), rows)


def save_usage(session: Session, rows: Sequence[UsageRow]) -> None:
    """Write used, drawn and allowance of rows that are locked."""
    if not rows:
        return
    usage = table_of(Usage)
    statement = (
        update(usage)
        .where(usage.c.node_id == bindparam("n"), usage.c.scope == "", usage.c.resource == bindparam("r"))
        .values(used=bindparam("u"), drawn=bindparam("d"), allowance=bindparam("a"))
    )
    values = [{"n": UUID(o.node_id), "r": o.resource, "u": o.used, "d": o.drawn, "a": o.allowance} for o in rows]
    session.connection().execute(statement, values)


def mark_breaches(session: Session, positions: Iterable[Position], now: datetime, charge_id: UUID | None) -> None:
    """Open a breach where usage is above its limit, close it where it no longer is."""
    standing = {(UUID(one.node_id), one.resource): one for one in positions}
    nodes = {node for node, _ in standing}
    statement = select(Breach).where(col(Breach.closed_at).is_(None), col(Breach.node_id).in_(nodes))
    opened = {(one.node_id, one.resource): one for one in session.scalars(statement)} if nodes else {}
    for key, position in standing.items():
        breach = opened.get(key)
        if position.over and breach is None:
            session.add(Breach(node_id=key[0], resource=key[1], over=position.over, charge_id=charge_id, opened_at=now))
        elif breach is not None and position.over:
            breach.over = position.over
        elif breach is not None:
            breach.closed_at = now
    session.flush()


def charge_row(charge: ChargeState, scope: str, now: datetime) -> dict[str, Any]:
    """A row of charge; its version is one more than what was read."""
    return {
        "id": charge.id,
        "scope": scope,
        "kind": charge.kind,
        "native_id": charge.native_id,
        "incarnation": charge.incarnation,
        "project_id": charge.project_id,
        "path": list(charge.path),
        "state": charge.state,
        "level": charge.level.as_dict(),
        "confirmed": charge.confirmed.as_dict(),
        "version": charge.version + 1,
        "decision_id": charge.decision_id,
        "created_at": now,
        "updated_at": now,
    }


def object_row(state: ObjectState, scope: str, seen_at: datetime | None = None) -> dict[str, Any]:
    """A row of charge_object. `seen_at` is the watch's to set."""
    return {
        "id": state.id,
        "charge_id": state.charge_id,
        "scope": scope,
        "uid": state.uid,
        "kind": state.kind,
        "namespace": state.namespace,
        "name": state.name,
        "parent_uid": state.parent_uid,
        "owner_uid": state.owner_uid,
        "observed_version": state.observed_version or None,
        "observed": state.observed.as_document() if state.observed else None,
        "pending": [one.as_document() for one in state.pendings],
        "children": state.children.as_dict(),
        "sizes": [
            {"revision": one.revision, "unit": one.unit.as_dict(), "count": number}
            for one, number in state.sizes.items()
        ],
        "maxima": dict(state.maxima),
        "names": state.names(),
        "name_key": state.name_key(),
        "need": state.need().as_dict(),
        "gone": state.gone,
        "deleting": state.deleting,
        "deadline": state.deadline(),
        "seen_at": seen_at,
    }


def insert_rows(session: Session, rows: Iterable[NewRow]) -> None:
    """Insert these in the order given."""
    for row in rows:
        session.connection().execute(insert(table_of(row.table)).values(dict(row.values)))


def lock(
    session: Session, scope: str, namespace: str, charges: Collection[UUID]
) -> tuple[tuple[str, ...], dict[UUID, int]]:
    """Keep the binding of a namespace as it is, and everybody else from these charges, until the transaction ends.

    Returns:
        the namespace's path, and the version of each charge that is there.
    """
    binding = select(col(Binding.path), col(Binding.exempt)).where(
        col(Binding.scope) == scope, col(Binding.name) == namespace
    )
    bound = session.execute(binding.with_for_update(read=True)).one_or_none()
    path = tuple(bound.path) if bound is not None and not bound.exempt else ()
    versions = select(col(Charge.id), col(Charge.version)).where(col(Charge.id).in_(charges)).order_by(col(Charge.id))
    found = {row.id: row.version for row in session.execute(versions.with_for_update())} if charges else {}
    return path, found


def _unmoved(session: Session, plan: Plan) -> bool:
    versions = {one.id: one.version for one in plan.before}
    return lock(session, plan.scope, plan.namespace, versions) == (plan.path, versions)


def _write_charges(session: Session, plan: Plan, now: datetime) -> None:
    rows = [charge_row(one, plan.scope, now) for one in plan.charges]
    if rows:
        statement = insert_into(session, Charge)
        written = ("state", "level", "confirmed", "version", "decision_id", "updated_at")
        statement = statement.on_conflict_do_update(
            index_elements=["id"], set_={name: statement.excluded[name] for name in written}
        )
        session.connection().execute(statement, rows)


def _write_objects(session: Session, plan: Plan, seen_at: datetime | None) -> None:
    objects = table_of(ChargeObject)
    rows = [object_row(one, plan.scope, seen_at) for one in plan.objects]
    if rows:
        statement = insert_into(session, ChargeObject)
        kept = {"id", "scope", "uid"} if seen_at else {"id", "scope", "uid", "seen_at"}
        statement = statement.on_conflict_do_update(
            index_elements=["scope", "uid"],
            set_={c.name: statement.excluded[c.name] for c in objects.columns if c.name not in kept},
        )
        session.connection().execute(statement, rows)
    for uid, charge_id in plan.reassigned:
        here = objects.c.scope == plan.scope
        below = select(objects.c.uid).where(here, objects.c.parent_uid == uid).cte("below", recursive=True)
        below = below.union_all(select(objects.c.uid).where(here, objects.c.parent_uid == below.c.uid))
        session.connection().execute(
            update(objects).where(here, objects.c.uid.in_(select(below.c.uid))).values(charge_id=charge_id)
        )


def _change_allowances(session: Session, changed: Iterable[Changed], now: datetime) -> dict[UsageKey, int]:
    """Lower, end or pass on live allowances of charges that are locked; answers how those of their nodes change."""
    allowances, changes = table_of(Allowance), dict[UsageKey, int]()
    for was, becomes in changed:
        stays = becomes.amount > 0 and becomes.charge_id == was.charge_id
        statement = update(allowances).where(allowances.c.id == was.id, allowances.c.ended_at.is_(None))
        session.connection().execute(
            statement.values(amount=becomes.amount) if stays else statement.values(ended_at=now)
        )
        if becomes.amount > 0 and not stays:
            _put_allowance(session, becomes)
        key = (was.node_id, was.resource)
        changes[key] = changes.get(key, 0) + becomes.amount - was.amount
    return changes


def _left_of(session: Session, granted: Sequence[AllowanceState], charge_id: UUID | None) -> dict[UsageKey, int]:
    """What a grant allows this charge and did not yet: it is consumed once, however often the request is repeated."""
    if not granted:
        return {}
    statement = select(col(Allowance.node_id), col(Allowance.resource), col(Allowance.amount)).where(
        col(Allowance.charge_id) == charge_id,
        col(Allowance.grant_id).in_({one.grant_id for one in granted}),
        col(Allowance.ended_at).is_(None),
    )
    left: dict[UsageKey, int] = {}
    for one in granted:
        left[one.node_id, one.resource] = left.get((one.node_id, one.resource), 0) + one.amount
    for node, resource, amount in session.connection().execute(statement):
        left[str(node), resource] = left.get((str(node), resource), 0) - amount
    return left


def _grant_allowances(
    session: Session, granted: Iterable[AllowanceState], charge_id: UUID | None, needed: Mapping[UsageKey, int]
) -> None:
    for one in granted:
        amount = needed.get((one.node_id, one.resource), 0)
        if amount:
            _put_allowance(session, replace(one, charge_id=charge_id, amount=amount))


def _put_allowance(session: Session, one: AllowanceState) -> None:
    """Make an allowance; one that is live already grows, one that has ended begins anew."""
    row = {
        "id": new_id(),
        "grant_id": one.grant_id,
        "charge_id": one.charge_id,
        "node_id": UUID(one.node_id),
        "scope": "",
        "resource": one.resource,
        "amount": one.amount,
        "until": one.until,
        "ended_at": None,
    }
    allowances = table_of(Allowance)
    grown = case((allowances.c.ended_at.is_(None), allowances.c.amount), else_=0) + one.amount
    statement = insert_into(session, Allowance).on_conflict_do_update(
        index_elements=["grant_id", "charge_id", "node_id", "scope", "resource"],
        set_={"amount": grown, "until": one.until, "ended_at": None},
    )
    session.connection().execute(statement, row)


def _usage_for_update(session: Session, keys: set[UsageKey]) -> dict[UsageKey, UsageRow]:
    if not keys:
        return {}
    usage = table_of(Usage)
    statement = (
        select(usage)
        .where(
            usage.c.scope == "",
            usage.c.node_id.in_({UUID(node) for node, _ in keys}),
            usage.c.resource.in_({resource for _, resource in keys}),
        )
        .order_by(usage.c.depth.desc(), usage.c.node_id, usage.c.resource)
        .with_for_update()
    )
    rows = (usage_row(dict(row)) for row in session.connection().execute(statement).mappings())
    return {key: row for row in rows if (key := (row.node_id, row.resource)) in keys}
