"""From facts to the document that policy evaluates (version 1; its schema is policies/schemas). Pure, and small:
facts, never whole objects; integers in ledger units, times in epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from governance.admission.model import Request
from governance.budget.facts import BudgetFact
from governance.change.grants import GrantFact
from governance.compliance.model import Asked
from governance.quota.model import Position, ScopeState
from governance.units import ResourceList

VERSION = 1
_ASKED = ("door", "operation", "kind", "subresource", "namespace", "name", "actor", "dry_run")


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
    cluster: ScopeState,
    nodes: Mapping[str, NodeFact],
    path: Sequence[str],
    new_template: bool,
    images: Sequence[str],
    increase: ResourceList,
    level: ResourceList,
    positions: Sequence[Position],
    approval_rules: Sequence[ApprovalRuleFact],
    freezes: Sequence[FreezeFact],
    checkpoints: Sequence[Asked],
    budgets: Sequence[BudgetFact],
    grant: GrantFact | None,
) -> dict[str, Any]:
    """The policy input.

    Args:
        path: node ids, the project first.
        new_template: whether something would run that the root does not run yet.
        increase: what the charge would rise by; `level`: what it would be.
        positions: every node of the path times every rising resource, without the grant's allowances.
        checkpoints: what is asked of images that the root was not admitted with, and how each stands.

    Departments stand by their name, the project as department/project: no two nodes of a path share one.
    """
    project = nodes[path[0]]
    department = nodes[path[1]].name if len(path) > 1 else ""
    labels = {node: nodes[node].name for node in path} | {path[0]: f"{department}/{project.name}"}
    return {
        "version": VERSION,
        "time_s": int(at.timestamp()),
        "request": {
            **{name: getattr(request, name) for name in _ASKED},
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
        "quota": [_quota(one, labels[one.node_id], nodes[one.node_id].kind) for one in positions],
        "approval_rules": [_approval_rule(one, labels[one.node_id]) for one in approval_rules],
        "freezes": [_freeze(one) for one in freezes],
        "budgets": [_budget(one, labels[one.node_id]) for one in budgets],
        "checkpoints": [_checkpoint(one, labels[one.node_id]) for one in checkpoints],
        "grant": None if grant is None else _grant(grant, labels),
    }


def _quota(position: Position, node: str, kind: str) -> dict[str, Any]:
    return {
        "node": node,
        "kind": kind,
        "resource": position.resource,
        "increase": position.increase,
        "used": position.used,
        "limit": position.limit,
        "rule": position.rule,
    }


def _approval_rule(rule: ApprovalRuleFact, node: str) -> dict[str, Any]:
    return {
        "name": rule.name,
        "node": node,
        "environments": list(rule.when.get("environments", ())),
        "kinds": list(rule.when.get("kinds", ())),
        "above": dict(rule.when.get("above", {})),
        "overrun": bool(rule.when.get("overrun", False)),
        "require": [dict(need) for need in rule.require],
    }


def _budget(one: BudgetFact, node: str) -> dict[str, Any]:
    return {
        "name": one.name,
        "node": node,
        "currency": one.currency,
        "reached": one.reached,
        "budget": one.budget,
        "spent": one.spent,
        "exposure": one.exposure,
        "as_of_s": int(one.as_of.timestamp()) if one.as_of else 0,
    }


def _freeze(freeze: FreezeFact) -> dict[str, Any]:
    return {
        "calendar": freeze.calendar,
        "summary": freeze.summary,
        "environments": list(freeze.environments),
        "ends_at_s": int(freeze.ends_at.timestamp()),
    }


def _checkpoint(asked: Asked, node: str) -> dict[str, Any]:
    return {
        "image": asked.image,
        "digest": asked.digest,
        "type": asked.type,
        "node": node,
        "result": asked.result,
        "at_s": _epoch(asked.at),
        "valid_until_s": _epoch(asked.valid_until),
    }


def _epoch(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _grant(grant: GrantFact, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "change": grant.change,
        "waives": list(grant.waives),
        "allowances": [
            {"node": labels[one["node_id"]], "resource": one["resource"], "amount": one["amount"]}
            for one in grant.allowances
            if one["node_id"] in labels
        ],
    }
