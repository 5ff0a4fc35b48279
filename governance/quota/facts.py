"""What the ledger knows around one object: SELECTs that can be read together with other rooms', and their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import CTE, Select, and_, bindparam, literal, not_, select, union, union_all
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session

from governance.db.elements import among, keys_in, texts_in
from governance.db.together import Together, fetch, together
from governance.quota.model import (
    CLAIM,
    LIVE,
    AllowanceState,
    BindingState,
    ChargeState,
    Declaration,
    Known,
    ObjectState,
    Pending,
    ScopeState,
    Size,
    UsageRow,
)
from governance.quota.plan import ObjectRef
from governance.quota.tables import Allowance, Binding, Charge, ChargeObject, Scope, Usage
from governance.units import ResourceList

_CHAIN_MAX = 10

_scope = Scope.__table__.c  # type: ignore[attr-defined]
_binding = Binding.__table__.c  # type: ignore[attr-defined]
_usage = Usage.__table__.c  # type: ignore[attr-defined]
_charge = Charge.__table__.c  # type: ignore[attr-defined]
_object = ChargeObject.__table__.c  # type: ignore[attr-defined]
_allowance = Allowance.__table__.c  # type: ignore[attr-defined]


def facts_selects() -> dict[str, Select[Any]]:
    """The SELECTs that `known_from` needs, by name; both dialects. Their parameters are made by `facts_parameters`.

    Every step goes from keys to keys, each by an index, so that an admission costs the same in a cluster of ten
    thousand objects: a condition with OR, or one on the whole cluster, would read all of them.
    """
    chain = _chain()
    mine = _charge_ids(chain)
    theirs = _object_ids(chain, mine)
    charge_ids = select(mine.c.id)
    return {
        "scope": select(*_scope).where(_scope.name == bindparam("scope")),
        "binding": select(*_binding).where(
            _binding.scope == bindparam("scope"), _binding.name == bindparam("namespace")
        ),
        "usage": _usage_of_path(),
        "objects": select(*_object).where(among(_object.id, select(theirs.c.id))),
        "charges": select(*_charge).where(among(_charge.id, charge_ids)),
        "allowances": select(*_allowance).where(among(_allowance.charge_id, charge_ids), _allowance.ended_at.is_(None)),
    }


def facts_parameters(ref: ObjectRef) -> dict[str, Any]:
    """Parameters of `facts_selects` for one object."""
    return {
        "scope": ref.scope,
        "namespace": ref.namespace,
        "uid": ref.uid,
        "owner_uid": ref.owner_uid or "",
        "kind": ref.kind,
        "native_id": ref.native_id,
        "name_keys": orjson.dumps(ref.name_keys).decode(),
        "naming": ref.uid if ref.claims is not None else "",
    }


def _chain() -> CTE:
    """The object, its owner, the one that it was last seen with, those that wait for it, and all their ancestors.

    By their names: above an autoscaler what it scales, above a claim its StatefulSet; below what can be scaled its
    autoscalers, and others of its name, below a StatefulSet the claims that are to come below it. Then what the object
    was last known to name, and no longer does: what an autoscaler scaled, the claims that a StatefulSet leaves.
    """
    here = _object.scope == bindparam("scope")
    found = (_object.scope, _object.uid, _object.parent_uid, _object.charge_id, _object.kind)
    waiting = and_(_object.owner_uid == bindparam("uid"), _object.parent_uid.is_(None))
    former = select(_object.owner_uid).where(here, _object.uid == bindparam("uid")).scalar_subquery()
    in_scope = _without_index(_object.scope) == bindparam("scope")
    named = texts_in(bindparam("name_keys"))
    was_named = texts_in(select(_object.names).where(here, _object.uid == bindparam("naming")).scalar_subquery())
    stays = and_(_object.kind == CLAIM, _object.parent_uid.is_not_distinct_from(bindparam("uid")))
    first = union_all(
        select(*found).where(here, _object.uid == bindparam("uid")),
        select(*found).where(here, _object.uid == former),
        select(*found).where(here, _object.uid == bindparam("owner_uid")),
        select(*found).where(here, waiting),
        select(*found).where(in_scope, among(_object.name_key, named), not_(stays)),
        select(*found).where(in_scope, among(_object.name_key, was_named), _object.name_key.not_in(named)),
    ).cte("first")
    chain = select(*first.c, literal(0).label("height")).cte("chain", recursive=True)
    above = select(*found, chain.c.height + 1).where(
        _object.scope == chain.c.scope, _object.uid == chain.c.parent_uid, chain.c.height < _CHAIN_MAX
    )
    return chain.union_all(above)


def _charge_ids(chain: CTE) -> CTE:
    """The charges of the chain, the object's and the claims' own, and the live ones of the same name as any of them."""
    here = _charge.scope == bindparam("scope")
    same_scope = _without_index(_charge.scope) == bindparam("scope")
    claims = select(chain.c.uid).where(chain.c.kind == CLAIM)
    of_chain = select(chain.c.charge_id).distinct().cte("of_chain")
    named = union(
        select(_charge.kind, _charge.native_id).where(among(_charge.id, select(of_chain.c.charge_id))),
        select(bindparam("kind", type_=_charge.kind.type), bindparam("native_id", type_=_charge.native_id.type)),
    ).cte("named")
    same_name = and_(_charge.kind == named.c.kind, _charge.native_id == named.c.native_id)
    return union(
        select(of_chain.c.charge_id.label("id")),
        select(_charge.id).where(here, _charge.incarnation == bindparam("uid")),
        select(_charge.id).where(same_scope, among(_charge.incarnation, claims)),
        select(_charge.id)
        .join_from(named, Charge, same_name)
        .where(here, among(_charge.native_id, select(named.c.native_id)), _charge.state.in_(LIVE)),
    ).cte("mine")


def _object_ids(chain: CTE, charges: CTE) -> CTE:
    """The objects of the chain, the roots of the charges, and what waits to be seen below them."""
    here = _object.scope == bindparam("scope")
    roots = select(_charge.incarnation).where(among(_charge.id, select(charges.c.id)))
    of_charges = among(_object.charge_id, select(charges.c.id))
    return union(
        select(_object.id).where(here, among(_object.uid, select(chain.c.uid))),
        select(_object.id).where(here, among(_object.uid, roots)),
        select(_object.id).where(of_charges, _object.deadline.is_not(None)),
    ).cte("theirs")


def _without_index(column: ColumnElement[str]) -> ColumnElement[str]:
    """A column that all rows of a cluster share, so that the statement is not planned by it: it would read them all."""
    return column.concat("")


def _usage_of_path() -> Select[Any]:
    path = select(_binding.path).where(_binding.scope == bindparam("scope"), _binding.name == bindparam("namespace"))
    return select(*_usage).where(_usage.scope == "", among(_usage.node_id, keys_in(path.scalar_subquery())))


@cache
def _facts() -> Together:
    return together("ledger_facts", facts_selects())


def read(session: Session, ref: ObjectRef) -> Known:
    """Read the facts in one statement. Admission reads them with those of other rooms instead."""
    _, rows = fetch(session, _facts(), facts_parameters(ref))
    return known_from(rows)


def known_from(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> Known:
    """The values of the rows that `facts_selects` gave, by name."""
    objects = (object_state(row) for row in rows["objects"])
    charges = (charge_state(row) for row in rows["charges"])
    return Known(
        scope=next((_scope_state(row) for row in rows["scope"]), None),
        binding=next((_binding_state(row) for row in rows["binding"]), None),
        usage=tuple(usage_row(row) for row in rows["usage"]),
        objects={one.uid: one for one in objects},
        charges={one.id: one for one in charges},
        allowances=tuple(_allowance_state(row) for row in rows["allowances"]),
    )


def object_state(row: Mapping[str, Any]) -> ObjectState:
    """From a row of charge_object."""
    return ObjectState(
        id=row["id"],
        charge_id=row["charge_id"],
        uid=row["uid"],
        kind=row["kind"],
        namespace=row["namespace"],
        name=row["name"],
        parent_uid=row["parent_uid"],
        owner_uid=row["owner_uid"],
        observed=Declaration.from_document(row["observed"]) if row["observed"] else None,
        observed_version=row["observed_version"] or "",
        pendings=tuple(Pending.from_document(one) for one in row["pending"]),
        children=ResourceList(row["children"]),
        sizes={Size(one["revision"], ResourceList(one["unit"])): one["count"] for one in row["sizes"]},
        maxima=row["maxima"],
        gone=row["gone"],
        deleting=row["deleting"],
    )


def charge_state(row: Mapping[str, Any]) -> ChargeState:
    """From a row of charge."""
    return ChargeState(
        id=row["id"],
        kind=row["kind"],
        native_id=row["native_id"],
        incarnation=row["incarnation"],
        project_id=row["project_id"],
        path=tuple(row["path"]),
        state=row["state"],
        level=ResourceList(row["level"]),
        confirmed=ResourceList(row["confirmed"]),
        version=row["version"],
        decision_id=row["decision_id"],
    )


_amounts_of = itemgetter("resource", "depth", "used", "drawn", "hard", "lending", "borrowing", "allowance", "rule")


def usage_row(row: Mapping[str, Any]) -> UsageRow:
    """From a row of usage."""
    return UsageRow(str(row["node_id"]), *_amounts_of(row))


def _scope_state(row: Mapping[str, Any]) -> ScopeState:
    return ScopeState(row["name"], row["mode"], row["warn_until"], row["labels"], row["epoch"])


def _binding_state(row: Mapping[str, Any]) -> BindingState:
    path = () if row["exempt"] else tuple(row["path"])
    return BindingState(
        row["scope"],
        row["name"],
        row["project_id"],
        row["exempt"],
        path,
        row["labels"],
        row["revision"],
        row["autoscaling"],
    )


def _allowance_state(row: Mapping[str, Any]) -> AllowanceState:
    return AllowanceState(
        node_id=str(row["node_id"]),
        resource=row["resource"],
        amount=row["amount"],
        grant_id=row["grant_id"],
        until=row["until"],
        charge_id=row["charge_id"],
        id=row["id"],
    )
