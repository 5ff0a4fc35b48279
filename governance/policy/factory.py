"""Which engine an installation runs, and whether it is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from governance import settings
from governance.errors import PolicyUnavailable
from governance.policy import bundle
from governance.policy.embedded import Embedded
from governance.policy.model import PolicyEngine
from governance.policy.opa import Opa

# Nothing rises and nothing holds: every rule can be evaluated on it, and finds nothing.
_PROBE: dict[str, Any] = {
    "version": 1,
    "time_s": 1_798_761_600,
    "request": {
        "door": "pipeline",
        "operation": "CREATE",
        "kind": "core/pods",
        "subresource": "",
        "namespace": "probe",
        "name": "probe",
        "actor": "probe",
        "dry_run": True,
        "new_template": False,
        "images": [],
    },
    "project": {"name": "probe", "department": "probe", "environment": "probe", "labels": {}},
    "cluster": {"name": "probe", "labels": {}},
    "increase": {},
    "level": {},
    "quota": [],
    "approval_rules": [],
    "freezes": [],
    "budgets": [],
    "checkpoints": [],
    "grant": None,
}


@dataclass(frozen=True, slots=True)
class Health:
    """Whether an engine evaluates every rule; if not, why, and what to do."""

    ready: bool
    digest: str
    detail: str = ""
    remedy: str = ""


def make_policy_engine(chosen: settings.Policy) -> PolicyEngine:
    """Read, check and compile the policies. Nothing is connected: an OPA that is away is found when it is asked.

    Raises:
        BadInput: the settings or the policies are not as they must be; names the file.
    """
    policies = bundle.load(chosen.directory)
    if chosen.engine == "opa":
        return Opa(policies, chosen)
    if chosen.engine == "wasm":
        from governance.policy.wasm import Wasm  # takes an eighth of a second, for those who use it

        return Wasm(policies, chosen.bundle, chosen.timeout_ms)
    return Embedded(policies, chosen.timeout_ms)


def health(engine: PolicyEngine) -> Health:
    """Evaluate a document on which every rule must answer; with OPA this also compares its policies with ours."""
    try:
        evaluation = engine.evaluate(_PROBE)
    except PolicyUnavailable as error:
        return Health(ready=False, digest=engine.digest, detail=error.detail, remedy=error.remedy or "")
    missing = sorted(engine.rules.keys() - evaluation.checks)
    if missing:
        detail = f"The policies do not evaluate {', '.join(missing)}."
        return Health(ready=False, digest=engine.digest, detail=detail, remedy="Run opa test over the policies.")
    return Health(ready=True, digest=engine.digest)
