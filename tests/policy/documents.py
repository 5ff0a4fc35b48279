"""Documents for the policies: a scale of a viewer with room at each node, and what tests change in it."""

from __future__ import annotations

import copy
from typing import Any

Document = dict[str, Any]
IMAGE = "registry.example/viewer@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


def row(node: str, kind: str = "department", **changes: object) -> Document:
    """A quota row with room for what rises."""
    room = {"resource": "requests.cpu", "increase": 2000, "used": 4000, "limit": 10_000, "rule": "compute"}
    return {"node": node, "kind": kind, **room, **changes}


def sample(**changes: object) -> Document:
    """A document that no rule minds, with top-level facts replaced."""
    document: Document = {
        "version": 1,
        "time_s": 1_795_000_000,
        "request": {
            "door": "kubernetes",
            "operation": "UPDATE",
            "kind": "apps/deployments",
            "subresource": "scale",
            "namespace": "imaging",
            "name": "viewer",
            "actor": "okafor",
            "dry_run": False,
            "new_template": False,
            "images": [IMAGE],
        },
        "project": {
            "name": "imaging",
            "department": "radiology",
            "environment": "production",
            "labels": {"workload-class": "clinical"},
        },
        "cluster": {"name": "main", "labels": {"location": "on-premises"}},
        "increase": {"requests.cpu": 2000},
        "level": {"requests.cpu": 6000},
        "quota": [row("radiology/imaging", "project"), row("radiology"), row("hospital", limit=None)],
        "approval_rules": [],
        "freezes": [],
        "budgets": [],
        "checkpoints": [],
        "grant": None,
    }
    return copy.deepcopy({**document, **changes})


def quota(**changes: Any) -> list[Document]:  # noqa: ANN401  (JSON)
    """The sample's quota with the department's row changed."""
    return [row("radiology/imaging", "project"), row("radiology", **changes), row("hospital", limit=None)]


def project(**changes: object) -> Document:
    """The sample's project, changed."""
    return {**sample()["project"], **changes}


def rule(**changes: object) -> Document:
    """An approval rule that matches the sample."""
    return {
        "name": "large",
        "node": "hospital",
        "environments": ["production"],
        "kinds": ["apps/deployments"],
        "above": {"requests.cpu": 5999},
        "overrun": False,
        "require": [{"group": "capacity-board", "minimum": 2, "deny_minimum": 1}],
        **changes,
    }


def freeze(**changes: object) -> Document:
    """A freeze that holds for the sample."""
    window = {"calendar": "winter", "summary": "Winter closure", "environments": ["production"]}
    return {**window, "ends_at_s": 1_795_003_600, **changes}


def checkpoint(**changes: object) -> Document:
    """A passed scan of the sample's image."""
    found = {"image": IMAGE, "digest": IMAGE.partition("@")[2], "type": "vuln-scan", "node": "radiology"}
    return {**found, "result": "pass", "at_s": 1_794_999_000, "valid_until_s": None, **changes}


def unchecked(**changes: object) -> Document:
    """The same without any result."""
    return checkpoint(result=None, at_s=None, **changes)


def budget(**changes: object) -> Document:
    """A budget of the sample's department that is reached."""
    named = {"name": "radiology-2026", "node": "radiology", "currency": "EUR", "reached": "deny"}
    money = {"budget": 12_000_000_000, "spent": 11_000_000_000, "exposure": 12_000_000_000}
    return {**named, **money, "as_of_s": 1_794_900_000, **changes}


def grant(*waives: str, allowances: list[Document] | None = None) -> Document:
    """A grant, with allowances of what it lets go over a limit."""
    return {"change": "CH-1042", "waives": list(waives), "allowances": allowances or []}


def allowance(amount: int, node: str = "radiology") -> Document:
    """An allowance of CPU."""
    return {"node": node, "resource": "requests.cpu", "amount": amount}
