"""Every total of the ledger, derived again from its charges: for a new tree, an audit, a rebuild after a restore."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import Session, col

from governance.db.base import table_of
from governance.identity.tables import Node
from governance.quota.facts import object_state, usage_row
from governance.quota.model import AUTOSCALER, LIVE, ObjectState, UsageRow, joint_need
from governance.quota.tables import Allowance, Binding, Charge, ChargeObject, Scope, Usage
from governance.quota.write import UsageKey, create_usage, mark_breaches, save_usage
from governance.units import EMPTY, ResourceList, sum_of


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored amount that is not what its entries add up to."""

    what: str  # usage used, usage drawn, usage allowance, object children, object sizes, object maxima, charge level
    of: str  # the row: node and resource, object uid, charge
    stored: int
    derived: int


def derive(
    rows: Iterable[UsageRow], parents: Mapping[str, str | None], own: Mapping[UsageKey, int]
) -> dict[UsageKey, UsageRow]:
    """What the usage rows must say, with rows added where the tree needs them. Pure.

    Args:
        rows: for their limits and allowances.
        parents: of every node; None for the root.
        own: what live charges take at each project.
    """
    result = {(row.node_id, row.resource): row for row in rows}
    depths = {node: len(_way(parents, node)) - 1 for node in parents}
    for node, resource in [*result, *own]:
        for above in _way(parents, node):
            result.setdefault((above, resource), UsageRow(above, resource, depths[above]))
    passed_up: dict[UsageKey, int] = defaultdict(int)
    for key, row in sorted(result.items(), key=lambda item: -depths[item[0][0]]):
        used = own.get(key, 0) + passed_up[key]
        settled = replace(row, depth=depths[row.node_id], used=used)
        result[key] = settled = replace(settled, drawn=max(used, settled.guaranteed))
        parent = parents[row.node_id]
        if parent is not None:
            passed_up[parent, row.resource] += settled.drawn
    return result


def retotal(session: Session, limits: Mapping[UsageKey, UsageRow] | None, now: datetime) -> None:
    """Lock all of usage and set it to what the charges add up to; breaches are opened and closed by it.

    Args:
        limits: rows whose limits count from now on, all of them; None leaves the limits as they are.
    """
    stored = _usage(session, lock=True)
    rows = (
        stored if limits is None else {key: _with_limits(stored, limits, key) for key in stored.keys() | limits.keys()}
    )
    derived = derive(rows.values(), _parents(session), _own(session))
    create_usage(session, {key: row.depth for key, row in sorted(derived.items()) if key not in stored})
    changed = {key: row for key, row in derived.items() if stored.get(key) != row}
    save_usage(session, list(changed.values()))
    _save_limits(session, changed)
    mark_breaches(session, (row.standing() for row in derived.values()), now, None)


def differences(session: Session) -> list[Difference]:
    """Every stored total that is not what its entries add up to; none in a sound ledger. For `governance doctor`."""
    stored = _usage(session, lock=False)
    derived = derive(stored.values(), _parents(session), _own(session))
    found = []
    for key, row in sorted(derived.items()):
        was = stored.get(key, UsageRow(*key, depth=row.depth))
        found += [
            Difference(f"usage {name}", f"{key[0]} {key[1]}", before, after)
            for name, before, after in (("used", was.used, row.used), ("drawn", was.drawn, row.drawn))
            if before != after
        ]
    return [*found, *_of_allowances(session, stored), *_of_objects(session)]


def rebuild(session: Session, scope: str, now: datetime) -> None:
    """After a restore of this database, or of the cluster's etcd: a new epoch begins, and the cluster only observes.

    Versions of the former epoch are forgotten, also of what was gone (a restored etcd may have it again), so that the
    next relist rules on everything; it enforces again once that is charged. Usage is locked before the objects, as
    every write does. Grants that were not used are the change room's to void.
    """
    anew = update(Scope).where(col(Scope.name) == scope)
    session.connection().execute(
        anew.values(
            epoch=col(Scope.epoch) + 1,
            mode="observe",
            warn_until=None,
            warn_by="",
            warn_reason="",
            relisted_at=None,
            writer_epoch=col(Scope.writer_epoch) + 1,
        )
    )
    retotal(session, None, now)
    seen = update(ChargeObject).where(col(ChargeObject.scope) == scope, col(ChargeObject.observed_version).is_not(None))
    session.connection().execute(seen.values(observed_version="0"))


def _way(parents: Mapping[str, str | None], node: str) -> list[str]:
    way, above = [node], parents[node]
    while above is not None:
        way.append(above)
        above = parents[above]
    return way


def _parents(session: Session) -> dict[str, str | None]:
    rows = session.execute(select(col(Node.id), col(Node.parent_id)))
    return {str(node): str(parent) if parent else None for node, parent in rows}


def _usage(session: Session, *, lock: bool) -> dict[UsageKey, UsageRow]:
    usage = table_of(Usage)
    statement = (
        select(usage).where(usage.c.scope == "").order_by(usage.c.depth.desc(), usage.c.node_id, usage.c.resource)
    )
    rows = session.connection().execute(statement.with_for_update() if lock else statement).mappings()
    return {(row.node_id, row.resource): row for row in (usage_row(dict(one)) for one in rows)}


def _own(session: Session) -> dict[UsageKey, int]:
    """Read after usage was locked: who is at a charge now waits for us, and then adds only what it changes."""
    taken: dict[UsageKey, int] = defaultdict(int)
    charges = select(col(Charge.path), col(Charge.level)).where(col(Charge.state).in_(LIVE))
    for path, level in session.execute(charges):
        for resource, amount in level.items() if path else ():
            taken[path[0], resource] += amount
    return taken


def _with_limits(stored: Mapping[UsageKey, UsageRow], limits: Mapping[UsageKey, UsageRow], key: UsageKey) -> UsageRow:
    limit = limits.get(key, UsageRow(*key, depth=0))
    row = stored.get(key, limit)
    return replace(row, hard=limit.hard, lending=limit.lending, borrowing=limit.borrowing, rule=limit.rule)


def _save_limits(session: Session, rows: Mapping[UsageKey, UsageRow]) -> None:
    usage = table_of(Usage)
    for (node, resource), row in rows.items():
        session.connection().execute(
            update(usage)
            .where(usage.c.node_id == UUID(node), usage.c.scope == "", usage.c.resource == resource)
            .values(depth=row.depth, hard=row.hard, lending=row.lending, borrowing=row.borrowing, rule=row.rule)
        )


def _of_allowances(session: Session, stored: Mapping[UsageKey, UsageRow]) -> list[Difference]:
    live: dict[UsageKey, int] = defaultdict(int)
    statement = select(Allowance).where(col(Allowance.ended_at).is_(None))
    for one in session.scalars(statement):
        live[str(one.node_id), one.resource] += one.amount
    return [
        Difference("usage allowance", f"{key[0]} {key[1]}", row.allowance, live[key])
        for key, row in stored.items()
        if row.allowance != live[key]
    ]


def _of_objects(session: Session) -> list[Difference]:
    """The needs of children against what their parents say, and charges against the needs of their roots."""
    rows = session.connection().execute(select(table_of(ChargeObject))).mappings()
    objects = {(row["scope"], row["uid"]): object_state(dict(row)) for row in rows}
    below: dict[tuple[str, str], list[ObjectState]] = defaultdict(list)
    for (scope, _), one in objects.items():
        if one.parent_uid is not None:
            below[scope, one.parent_uid].append(one)
    found = []
    for key, one in objects.items():
        found += _unequal("object children", one.uid, one.children, sum_of(child.need() for child in below[key]))
        counted = Counter(size for child in below[key] if (size := child.size()) is not None)
        found += [
            Difference("object sizes", f"{one.uid} {dict(size.unit)}", one.sizes.get(size, 0), counted[size])
            for size in one.sizes.keys() | counted.keys()
            if one.sizes.get(size, 0) != counted[size]
        ]
    found += _of_maxima(session, objects)
    named: dict[tuple[str, str, str], list[Charge]] = defaultdict(list)
    for charge in session.scalars(select(Charge).where(col(Charge.state).in_(LIVE))):
        named[charge.scope, charge.kind, charge.native_id].append(charge)
    for (scope, _, native_id), charges in named.items():
        roots = (objects.get((scope, one.incarnation)) for one in charges)
        needed = joint_need(one for one in roots if one is not None and one.parent_uid is None)
        short = (needed - sum_of(ResourceList(one.level) for one in charges)).positive()
        found += _unequal("charge level", f"{scope} {native_id}", EMPTY, short)
    return found


def _of_maxima(session: Session, objects: Mapping[tuple[str, str], ObjectState]) -> list[Difference]:
    """How far autoscalers may go against what they scale was told, where policy charges the maximum."""
    charged = select(col(Binding.scope), col(Binding.name)).where(col(Binding.autoscaling) == "maximum")
    namespaces = {(scope, name) for scope, name in session.execute(charged)}
    told: dict[tuple[str, str | None], dict[str, int]] = defaultdict(dict)
    for (scope, uid), one in objects.items():
        for key, maximum in one.targets().items() if (scope, one.namespace) in namespaces else ():
            told[scope, key][uid] = maximum
    found = []
    for (scope, uid), one in objects.items():
        derived = told[scope, one.name_key()] if one.kind != AUTOSCALER else {}
        found += [
            Difference("object maxima", f"{uid} {by}", one.maxima.get(by, 0), derived.get(by, 0))
            for by in sorted(one.maxima.keys() | derived.keys())
            if one.maxima.get(by) != derived.get(by)
        ]
    return found


def _unequal(what: str, of: str, stored: ResourceList, derived: ResourceList) -> list[Difference]:
    names = sorted({*stored, *derived})
    return [Difference(what, of, stored[name], derived[name]) for name in names if stored[name] != derived[name]]
