"""From facts to the document that policy evaluates (version 1; its schema is policies/schemas). Pure, and small:
facts, never whole objects; integers in ledger units, times in epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from governance.admission.model import Request
from governance.change.grants import GrantFact
from governance.quota.model import ClusterState, Position
from governance.units import ResourceList

VERSION = 1


@dataclass(frozen=True, slots=True)
class NodeFact:
    """A node of the path."""

    id: str
    kind: str
    name: str
    environment: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FreezeFact:
    """A freeze that holds now."""

    calendar: str
    summary: str
    environments: tuple[str, ...]
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalRuleFact:
    """When an approval is needed on the path, and whose."""

    name: str
    node_id: str
    when: Mapping[str, Any]
    require: Sequence[Mapping[str, Any]]


def document(
    *,
    request: Request,
    at: datetime,
    cluster: ClusterState,
    nodes: Mapping[str, NodeFact],
    path: Sequence[str],
    new_template: bool,
    images: Sequence[str],
    increase: ResourceList,
    level: ResourceList,
    positions: Sequence[Position],
    approval_rules: Sequence[ApprovalRuleFact],
    freezes: Sequence[FreezeFact],
    grant: GrantFact | None,
) -> dict[str, Any]:
    """The policy input.

    Args:
        path: node ids, the project first.
        new_template: whether something would run that the root does not run yet.
        increase: what the charge would rise by; `level`: what it would be.
        positions: every node of the path times every rising resource, without the grant's allowances.

    Departments stand by their name, the project as department/project: no two nodes of a path share one.
    """
    project = nodes[path[0]]
    department = nodes[path[1]].name if len(path) > 1 else ""
    labels = {node: nodes[node].name for node in path} | {path[0]: f"{department}/{project.name}"}
    return {
        "version": VERSION,
        "time_s": int(at.timestamp()),
        "request": {
            "door": request.door,
            "operation": request.operation,
            "kind": request.kind,
            "subresource": request.subresource,
            "namespace": request.namespace,
            "name": request.name,
            "actor": request.actor,
            "dry_run": request.dry_run,
            "new_template": new_template,
            "images": list(images),
        },
        "project": {
            "name": project.name,
            "department": department,
            "environment": project.environment or "",
            "labels": dict(project.labels),
        },
        "cluster": {"name": cluster.name, "labels": dict(cluster.labels)},
        "increase": increase.as_dict(),
        "level": level.as_dict(),
        "quota": [
            {
                "node": labels[one.node_id],
                "kind": nodes[one.node_id].kind,
                "resource": one.resource,
                "increase": one.increase,
                "used": one.used,
                "limit": one.limit,
                "rule": one.rule,
            }
            for one in positions
        ],
        "approval_rules": [
            {
                "name": one.name,
                "node": labels[one.node_id],
                "environments": list(one.when.get("environments", ())),
                "kinds": list(one.when.get("kinds", ())),
                "above": dict(one.when.get("above", {})),
                "overrun": bool(one.when.get("overrun", False)),
                "require": [dict(need) for need in one.require],
            }
            for one in approval_rules
        ],
        "freezes": [
            {
                "calendar": one.calendar,
                "summary": one.summary,
                "environments": list(one.environments),
                "ends_at_s": int(one.ends_at.timestamp()),
            }
            for one in freezes
        ],
        "grant": None
        if grant is None
        else {
            "change": grant.change,
            "waives": list(grant.waives),
            "allowances": [
                {"node": labels[one["node_id"]], "resource": one["resource"], "amount": one["amount"]}
                for one in grant.allowances
                if one["node_id"] in labels
            ],
        },
    }
