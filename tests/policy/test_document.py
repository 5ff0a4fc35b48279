"""What admission writes is what the policies read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from governance.admission.document import ApprovalRuleFact, FreezeFact, NodeFact, document
from governance.admission.model import Request
from governance.budget.facts import BudgetFact
from governance.change.grants import GrantFact
from governance.compliance.model import Asked
from governance.policy import bundle
from governance.policy.factory import _PROBE
from governance.policy.model import PolicyEngine
from governance.quota.model import ScopeState, UsageRow, walk
from governance.units import ResourceList
from tests.policy.cases import ALL
from tests.policy.documents import Document, allowance, budget, checkpoint, freeze, grant, rule, sample

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
NODES = {
    "1": NodeFact("1", "project", "imaging", "production", {"workload-class": "clinical"}),
    "2": NodeFact("2", "department", "radiology"),
    "3": NodeFact("3", "department", "hospital"),
}
RISES = ResourceList({"requests.cpu": 2000, "pods": 1})
REQUEST = Request(
    door="kubernetes",
    provider="kubernetes",
    scope="main",
    uid="a",
    actor="okafor",
    groups=(),
    operation="CREATE",
    kind="core/pods",
    subresource="",
    namespace="imaging",
    name="viewer",
    object_uid="b",
    resource_version="",
    owner=None,
    declaration=None,
    declaration_before=None,
)


def granted(*waives: str, amount: int) -> GrantFact:
    """A grant with an allowance of CPU at the department."""
    allowed = {"node_id": "2", "resource": "requests.cpu", "amount": amount}
    return GrantFact(uuid4(), uuid4(), "CH-1042", waives, (allowed,), AT)


def written(limit: int, grant_fact: GrantFact | None = None) -> Document:
    """The document of a pod of 2 CPU in a department that has taken 4 CPU of `limit`."""
    usage = [
        UsageRow("1", "requests.cpu", depth=2, used=4000, drawn=4000, hard=10_000),
        UsageRow("2", "requests.cpu", depth=1, used=4000, drawn=4000, hard=limit, rule="compute"),
    ]
    return document(
        request=REQUEST,
        at=AT,
        cluster=ScopeState(name="main", mode="enforce", warn_until=None, labels={"location": "on-premises"}, epoch=1),
        nodes=NODES,
        path=["1", "2", "3"],
        new_template=True,
        images=["viewer@sha256:0"],
        increase=RISES,
        level=RISES,
        positions=walk(usage, ["1", "2", "3"], RISES),
        approval_rules=[
            ApprovalRuleFact(
                "large", "3", {"above": {"pods": 5}}, [{"group": "board", "minimum": 1, "deny_minimum": 1}]
            )
        ],
        freezes=[FreezeFact("winter", "Winter closure", ("staging",), AT)],
        budgets=[BudgetFact("radiology-2026", "2", "EUR", "deny", 12_000_000_000, 0, 11_999_999_999, AT)],
        checkpoints=[Asked("viewer@sha256:0", "sha256:0", "vuln-scan", "2", "pass", AT, AT + timedelta(days=1))],
        grant=grant_fact,
    )


def test_every_rule_can_be_evaluated_on_what_admission_writes(policy_engine: PolicyEngine) -> None:
    evaluation = policy_engine.evaluate(written(limit=6000))
    assert (evaluation.checks, evaluation.violations) == (ALL, ())


def test_a_limit_in_the_ledger_becomes_a_violation_with_its_numbers(policy_engine: PolicyEngine) -> None:
    (violation,) = policy_engine.evaluate(written(limit=5999)).violations
    expected = {"node": "radiology", "resource": "requests.cpu", "requested": 2000, "used": 4000, "limit": 5999}
    assert (violation.code, violation.values) == ("headroom", {**expected, "rule": "compute"})


def test_a_grant_with_its_allowance_answers_it(policy_engine: PolicyEngine) -> None:
    assert policy_engine.evaluate(written(5999, granted("headroom", amount=1))).violations == ()


@pytest.mark.parametrize(
    "made",
    [
        written(6000, granted("freeze", amount=1)),
        sample(
            approval_rules=[rule()],
            freezes=[freeze()],
            checkpoints=[checkpoint()],
            budgets=[budget()],
            grant=grant("freeze", allowances=[allowance(1)]),
        ),
        _PROBE,
    ],
    ids=["admission", "tests", "health"],
)
def test_the_schema_names_every_fact_and_no_other(made: Document) -> None:
    schema = json.loads((bundle.packaged() / "schemas/input.json").read_text())
    assert _differences(made, schema, "input") == []


def _differences(value: object, schema: dict[str, Any], where: str) -> list[str]:
    """Where the names in a document are not those of its schema."""
    schema = schema["anyOf"][1] if "anyOf" in schema and value is not None else schema
    if isinstance(value, list):
        return [one for item in value for one in _differences(item, schema["items"], f"{where}[]")]
    if not isinstance(value, dict):
        return []
    if "properties" not in schema:
        return [] if isinstance(schema.get("additionalProperties"), dict) else [where]
    odd = [f"{where}.{name}" for name in value.keys() ^ schema["properties"].keys()]
    known = value.keys() & schema["properties"].keys()
    return odd + [
        one for name in known for one in _differences(value[name], schema["properties"][name], f"{where}.{name}")
    ]
