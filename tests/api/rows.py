"""A denied scale of the example hospital, as an admission writes it down."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import select

from governance import clock
from governance.admission.tables import DecisionRow
from governance.db.session import transaction
from governance.identity.organisation import path_ids
from governance.identity.people import person_by_name
from governance.identity.tables import Node

GPU = "requests.nvidia.com/gpu"


def deny(engine: Engine, *, actor: str = "okafor", project: str = "ct-training", name: str = "ct-train") -> UUID:
    """Write the denial of 6 more GPUs where 2 are left, and give its key."""
    with transaction(engine) as session:
        node = session.exec(select(Node).where(Node.name == project)).one()
        path = path_ids(session, node.id)
        now = clock.now()
        over = {"node": "radiology", "resource": GPU, "used": 15, "limit": 17, "rule": "radiology"}
        row = DecisionRow(
            at=now,
            outcome="deny",
            door="kubernetes",
            scope="imaging-onprem-1",
            request_uid="uid",
            actor=actor,
            person_id=person_by_name(session, actor).id,
            operation="UPDATE",
            kind="apps/deployments",
            namespace=project,
            name=name,
            object_uid="1",
            project_id=node.id,
            digest=name.ljust(64, "0"),
            subject="s" * 64,
            last_seen_at=now,
            violations=[{"code": "headroom", "requested": 6, **over}],
            approvals=[
                {"rule": "headroom", "group": "approver@radiology", "minimum": 1, "deny_minimum": 1},
            ],
            askable=True,
            request={"name": name, "footprint": {GPU: 8}, "changes": {"spec.replicas": 8}},
            changes_before={"spec.replicas": 2},
            facts={
                "increase": {GPU: 6},
                "quota": [{"kind": "department", "increase": 6, **over}],
                "project": {"name": project, "department": "radiology"},
                "request": {"images": []},
            },
            path=list(path),
            policy_digest="p" * 64,
            config_revision=1,
        )
        session.add(row)
        session.flush()
        return row.id
