"""A small hospital: an organisation of three levels, a cluster, a namespace; and the two writes as a test says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Engine
from sqlmodel import Session, select

from governance.db.session import reading, transaction
from governance.identity.tables import Node
from governance.quota.facts import read
from governance.quota.ledger import Reservation, reserve
from governance.quota.limits import Limit, settle_tree
from governance.quota.model import AllowanceState, Declaration, Known
from governance.quota.observe import observe
from governance.quota.plan import ObjectRef, Observation, Plan, Proposal
from governance.quota.propose import propose
from governance.quota.tables import Binding, Charge, Scope, Usage
from governance.quota.totals import differences
from governance.quota.write import Written
from governance.units import ResourceList

CPU = "requests.cpu"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=90)
DEPLOYMENT = "apps/deployments"
REPLICASET = "apps/replicasets"
POD = "core/pods"


@dataclass(frozen=True, slots=True)
class Hospital:
    """radiology is a department of the hospital and has the projects ct and mri; surgery has the project theatre."""

    root: UUID
    radiology: UUID
    surgery: UUID
    ct: UUID
    mri: UUID
    theatre: UUID


def found(engine: Engine) -> Hospital:
    """Make the hospital, the cluster ward and a namespace for each project, named like it."""
    with transaction(engine) as session:
        root = _node(session, "department", "hospital", None, 0)
        radiology = _node(session, "department", "radiology", root, 1)
        surgery = _node(session, "department", "surgery", root, 1)
        ct = _node(session, "project", "ct", radiology, 2)
        mri = _node(session, "project", "mri", radiology, 2)
        theatre = _node(session, "project", "theatre", surgery, 2)
        session.add(Scope(name="ward", mode="enforce"))
        session.flush()
        above = {"ct": (ct, radiology), "mri": (mri, radiology), "theatre": (theatre, surgery)}
        for name, (project, department) in above.items():
            path = [str(project), str(department), str(root)]
            session.add(Binding(scope="ward", name=name, project_id=project, path=path, autoscaling="maximum"))
    return Hospital(root, radiology, surgery, ct, mri, theatre)


def limit(engine: Engine, *limits: Limit) -> None:
    """Apply these limits, and no others."""
    with transaction(engine) as session:
        settle_tree(session, limits, NOW)


def cpu(millicores: int) -> ResourceList:
    return ResourceList({CPU: millicores})


def ref(
    name: str, kind: str = DEPLOYMENT, *, uid: str = "", owner: str | None = None, namespace: str = "ct"
) -> ObjectRef:
    return ObjectRef("ward", namespace, name, kind, uid or str(uuid4()), owner)


def declares(replicas: int, millicores: int = 1000, kind: str = DEPLOYMENT, template: str = "a") -> Declaration:
    return Declaration(kind, replicas, cpu(millicores), surge=1 if kind == DEPLOYMENT else 0, template=template)


def known(engine: Engine, one: ObjectRef) -> Known:
    with reading(engine) as session:
        return read(session, one)


def proposed(
    engine: Engine, one: ObjectRef, declaration: Declaration, base: str = "", grant: UUID | None = None
) -> Proposal:
    content = f"{one.uid} {declaration.as_document()}"
    return propose(
        known(engine, one), one, declaration, base_version=base, content=content, deadline=LATER, grant=grant
    )


def admit(
    engine: Engine,
    one: ObjectRef,
    declaration: Declaration,
    base: str = "",
    *,
    grant: UUID | None = None,
    allowances: tuple[AllowanceState, ...] = (),
    forced: bool = False,
) -> Written:
    proposal = proposed(engine, one, declaration, base, grant)
    return reserve(engine, Reservation(proposal, now=NOW, allowances=allowances, forced=forced))


def see(
    engine: Engine, one: ObjectRef, version: int, declaration: Declaration | None, *, deleting: bool = False
) -> Plan:
    return observe(engine, Observation(one, str(version), declaration, deleting=deleting), now=NOW)


def used(engine: Engine, resource: str = CPU) -> Mapping[str, int]:
    """Usage by the name of the node."""
    with reading(engine) as session:
        rows = session.exec(select(Node.name, Usage.used).where(Node.id == Usage.node_id, Usage.resource == resource))
        return dict(rows.all())


def charged(session: Session, name: str) -> ResourceList:
    """Usage of a node, by resource."""
    rows = session.exec(select(Usage.resource, Usage.used).where(Usage.node_id == Node.id, Node.name == name))
    return ResourceList(rows.all())


def states(engine: Engine) -> dict[str, str]:
    """State of each charge by its incarnation."""
    with reading(engine) as session:
        return dict(session.exec(select(Charge.incarnation, Charge.state)).all())


def is_sound(engine: Engine) -> bool:
    """Every total is what its entries add up to."""
    with reading(engine) as session:
        return differences(session) == []


def _node(session: Session, kind: str, name: str, parent: UUID | None, depth: int) -> UUID:
    node = Node(kind=kind, name=name, title=name.title(), parent_id=parent, depth=depth)
    session.add(node)
    session.flush()
    return node.id
