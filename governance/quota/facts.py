"""What the ledger knows around one object: SELECTs that can be read together with other rooms', and their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import CTE, Select, and_, bindparam, literal, or_, select, tuple_, union
from sqlmodel import Session

from governance.db.together import Together, fetch, together
from governance.identity.tables import Node
from governance.quota.model import (
    LIVE,
    AllowanceState,
    ChargeState,
    ClusterState,
    Declaration,
    Known,
    NamespaceState,
    ObjectState,
    Pending,
    UsageRow,
)
from governance.quota.plan import ObjectRef
from governance.quota.tables import Allowance, Charge, ChargeObject, Cluster, Namespace, Usage
from governance.units import ResourceList

KUBERNETES = "kubernetes"
_CHAIN_MAX = 10

_cluster = Cluster.__table__.c  # type: ignore[attr-defined]
_namespace = Namespace.__table__.c  # type: ignore[attr-defined]
_usage = Usage.__table__.c  # type: ignore[attr-defined]
_charge = Charge.__table__.c  # type: ignore[attr-defined]
_object = ChargeObject.__table__.c  # type: ignore[attr-defined]
_allowance = Allowance.__table__.c  # type: ignore[attr-defined]
_node = Node.__table__.c  # type: ignore[attr-defined]


def facts_selects() -> dict[str, Select[Any]]:
    """The SELECTs that `known_from` needs, by name; both dialects. Their parameters are made by `facts_parameters`."""
    chain = _chain()
    charges = _charges(chain)
    charge_ids = select(charges.subquery().c.id)
    objects = select(*_object).where(
        _object.cluster == bindparam("cluster"),
        or_(
            _object.uid.in_(select(chain.c.uid)),
            _object.uid.in_(select(charges.subquery().c.incarnation)),
            and_(_object.charge_id.in_(charge_ids), _object.deadline.is_not(None)),
        ),
    )
    return {
        "cluster": select(*_cluster).where(_cluster.name == bindparam("cluster")),
        "namespace": select(*_namespace).where(
            _namespace.cluster == bindparam("cluster"), _namespace.name == bindparam("namespace")
        ),
        "usage": _usage_of_path(),
        "objects": objects,
        "charges": charges,
        "allowances": select(*_allowance).where(_allowance.charge_id.in_(charge_ids), _allowance.ended_at.is_(None)),
    }


def facts_parameters(ref: ObjectRef) -> dict[str, Any]:
    """Parameters of `facts_selects` for one object."""
    return {
        "cluster": ref.cluster,
        "namespace": ref.namespace,
        "uid": ref.uid,
        "owner_uid": ref.owner_uid or "",
        "kind": ref.kind,
        "native_id": ref.native_id,
    }


def _chain() -> CTE:
    """The object, its owner, those that wait for it, and all their ancestors."""
    here = _object.cluster == bindparam("cluster")
    first = select(_object.uid, _object.parent_uid, literal(0).label("height")).where(
        here,
        or_(
            _object.uid.in_([bindparam("uid"), bindparam("owner_uid")]),
            and_(_object.owner_uid == bindparam("uid"), _object.parent_uid.is_(None)),
        ),
    )
    chain = first.cte("chain", recursive=True)
    above = select(_object.uid, _object.parent_uid, chain.c.height + 1).where(
        here, _object.uid == chain.c.parent_uid, chain.c.height < _CHAIN_MAX
    )
    return chain.union_all(above)


def _charges(chain: CTE) -> Select[Any]:
    """The charges of the chain, the object's own, and the live ones of the same name as any of them."""
    here = and_(_charge.scope_kind == KUBERNETES, _charge.scope == bindparam("cluster"))
    of_chain = select(_object.charge_id).where(
        _object.cluster == bindparam("cluster"), _object.uid.in_(select(chain.c.uid))
    )
    named = union(
        select(_charge.kind, _charge.native_id).where(here, _charge.id.in_(of_chain)),
        select(bindparam("kind", type_=_charge.kind.type), bindparam("native_id", type_=_charge.native_id.type)),
    ).subquery()
    live = and_(
        _charge.state.in_(LIVE),
        tuple_(_charge.kind, _charge.native_id).in_(select(named.c[0], named.c[1])),
    )
    return select(*_charge).where(here, or_(_charge.id.in_(of_chain), _charge.incarnation == bindparam("uid"), live))


def _usage_of_path() -> Select[Any]:
    own = select(_namespace.project_id).where(
        _namespace.cluster == bindparam("cluster"), _namespace.name == bindparam("namespace")
    )
    path = select(_node.id, _node.parent_id).where(_node.id.in_(own)).cte("path", recursive=True)
    path = path.union_all(select(_node.id, _node.parent_id).where(_node.id == path.c.parent_id))
    return select(*_usage).where(_usage.scope == "", _usage.node_id.in_(select(path.c.id)))


@cache
def _facts() -> Together:
    return together(facts_selects())


def read(session: Session, ref: ObjectRef) -> Known:
    """Read the facts in one statement. Admission reads them with those of other rooms instead."""
    _, rows = fetch(session, _facts(), facts_parameters(ref))
    return known_from(rows)


def known_from(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> Known:
    """The values of the rows that `facts_selects` gave, by name."""
    objects = (object_state(row) for row in rows["objects"])
    charges = (charge_state(row) for row in rows["charges"])
    return Known(
        cluster=next((_cluster_state(row) for row in rows["cluster"]), None),
        namespace=next((_namespace_state(row) for row in rows["namespace"]), None),
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


def usage_row(row: Mapping[str, Any]) -> UsageRow:
    """From a row of usage."""
    names = ("resource", "depth", "used", "drawn", "hard", "lending", "borrowing", "allowance", "rule")
    return UsageRow(node_id=str(row["node_id"]), **{name: row[name] for name in names})


def _cluster_state(row: Mapping[str, Any]) -> ClusterState:
    return ClusterState(row["name"], row["mode"], row["warn_until"], row["labels"], row["epoch"])


def _namespace_state(row: Mapping[str, Any]) -> NamespaceState:
    path = () if row["exempt"] else tuple(row["path"])
    return NamespaceState(
        row["cluster"], row["name"], row["project_id"], row["exempt"], path, row["labels"], row["revision"]
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
