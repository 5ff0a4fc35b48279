"""From an evaluation to a decision. Pure. It starts from deny: an allow needs every expected check and no violation."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from governance.admission.model import Decision
from governance.policy.model import Evaluation, Finding, Rule
from governance.units import EMPTY, ResourceList


def decide(
    id: UUID,  # noqa: A002  (the decision's own key)
    evaluation: Evaluation,
    rules: Mapping[str, Rule],
    *,
    grant_id: UUID | None = None,
    increase: ResourceList = EMPTY,
) -> Decision:
    """Decide on one evaluation.

    Args:
        id: the decision's key, made by the caller.
        evaluation: the policy engine's answer.
        rules: the rules in force by code; each must be among the checks evaluated.
        grant_id: the grant that the facts named, which an allow will consume.
        increase: what the charge would rise by, in ledger units.

    Returns:
        allow, only if every expected check was evaluated and none found a violation; else deny, askable when every
        violation's rule admits an exception.
    """
    missing = tuple(Finding("check-missing", {"check": code}) for code in sorted(rules.keys() - evaluation.checks))
    violations = evaluation.violations + missing
    if violations:
        return Decision(
            id=id,
            outcome="deny",
            violations=violations,
            warnings=evaluation.warnings,
            approvals=evaluation.approvals,
            askable=all(one.code in rules and rules[one.code].exception for one in violations),
            increase=increase,
        )
    return Decision(id=id, outcome="allow", warnings=evaluation.warnings, grant_id=grant_id, increase=increase)


def refuse(id: UUID, code: str, **values: object) -> Decision:  # noqa: A002
    """A denial that no policy was asked for: the namespace is not bound, a part does not answer."""
    return Decision(id=id, outcome="deny", violations=(Finding(code, values),))
