"""The contract of every policy engine: documents, and the evaluation that each must give to the letter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from governance.policy.model import Finding, Need
from tests.policy.documents import (
    IMAGE,
    Document,
    allowance,
    budget,
    checkpoint,
    freeze,
    grant,
    project,
    quota,
    row,
    rule,
    sample,
    unchecked,
)

CHECKPOINT = frozenset({"checkpoint-expired", "checkpoint-failed", "checkpoint-missing", "image-without-digest"})
BUDGET = frozenset({"budget", "budget-approval"})
ALL = frozenset({"approval", "freeze", "headroom", "placement"}) | BUDGET | CHECKPOINT
NONE: frozenset[str] = frozenset()
LIMIT_MAX = 2**63 - 1


@dataclass(frozen=True)
class Case:
    """One document and what is expected of it. `missing` are the checks that must not be there."""

    name: str
    document: Document
    violations: tuple[Finding, ...] = ()
    approvals: tuple[Need, ...] = ()
    missing: frozenset[str] = field(default=NONE)


def over(**changes: Any) -> Finding:  # noqa: ANN401  (texts and integers)
    values = {"node": "radiology", "resource": "requests.cpu", "requested": 2000, "used": 4000, "rule": "compute"}
    return Finding("headroom", {**values, "limit": 5999, **changes})


def need(rule_name: str, group: str, minimum: int = 1) -> Need:
    return Need(rule_name, group, minimum, 1)


BOARD = need("large", "capacity-board", 2)
BY_DEPARTMENT = need("headroom", "approver@radiology")
ASKED = Finding("approval", {"rule": "large", "node": "hospital"})
FROZEN = Finding("freeze", {"calendar": "winter", "summary": "Winter closure", "ends_at_s": 1_795_003_600})
FREEZE_NEED = need("freeze", "approver@radiology")
CLOUD = {"name": "frankfurt", "labels": {"location": "cloud"}}
IN_CLOUD = Finding("placement", {"cluster": "frankfurt", "location": "cloud"})
OVER = quota(limit=5999)

HEADROOM = [
    Case("a request that no rule minds passes", sample()),
    Case("nothing rises", sample(increase={}, quota=[])),
    Case("the last unit fits", sample(quota=quota(limit=6000))),
    Case("one unit more does not", sample(quota=OVER), (over(),), (BY_DEPARTMENT,)),
    Case("a limit of nothing", sample(quota=quota(limit=0, used=0)), (over(limit=0, used=0),), (BY_DEPARTMENT,)),
    Case("what does not rise may be over", sample(quota=quota(limit=1, increase=0))),
    Case("no limit", sample(quota=quota(limit=None))),
    Case(
        "every node that is over is named",
        sample(quota=[row("radiology/imaging", "project", limit=1), row("radiology", limit=5999), row("hospital")]),
        (over(limit=1, node="radiology/imaging"), over()),
        (BY_DEPARTMENT, need("headroom", "approver@radiology/imaging")),
    ),
    Case("the last unit of 64 bits fits", sample(quota=quota(limit=LIMIT_MAX, used=LIMIT_MAX - 2000))),
    Case(
        "one unit beyond 64 bits does not",
        sample(quota=quota(limit=LIMIT_MAX, used=LIMIT_MAX - 1999)),
        (over(limit=LIMIT_MAX, used=LIMIT_MAX - 1999),),
        (BY_DEPARTMENT,),
    ),
    Case(
        "a limit raised beyond 64 bits by what it may borrow",
        sample(quota=quota(limit=2**64 - 1, used=LIMIT_MAX)),
    ),
    Case(
        "an allowance covers exactly what it grants",
        sample(quota=OVER, grant=grant("headroom", allowances=[allowance(1)])),
    ),
    Case(
        "allowances of one node add up",
        sample(quota=quota(limit=5990), grant=grant("headroom", allowances=[allowance(4), allowance(6)])),
    ),
    Case(
        "an allowance that is one short does not cover",
        sample(quota=quota(limit=5998), grant=grant("headroom", allowances=[allowance(1)])),
        (over(limit=5998),),
        (BY_DEPARTMENT,),
    ),
    Case(
        "an allowance at another node does not cover",
        sample(quota=OVER, grant=grant("headroom", allowances=[allowance(1, "hospital")])),
        (over(),),
        (BY_DEPARTMENT,),
    ),
    Case(
        "an allowance of a grant that does not waive headroom does not cover",
        sample(quota=OVER, grant=grant("approval", allowances=[allowance(1)])),
        (over(),),
        (BY_DEPARTMENT,),
    ),
]

APPROVAL = [
    Case("a rule that matches asks for its people", sample(approval_rules=[rule()]), (ASKED,), (BOARD,)),
    Case("a level that is not above does not match", sample(approval_rules=[rule(above={"requests.cpu": 6000})])),
    Case("another resource does not match", sample(approval_rules=[rule(above={"pods": 0})])),
    Case("another environment does not match", sample(approval_rules=[rule(environments=["staging"])])),
    Case("another kind does not match", sample(approval_rules=[rule(kinds=["core/pods"])])),
    Case(
        "a rule without conditions matches all",
        sample(approval_rules=[rule(environments=[], kinds=[], above={})]),
        (ASKED,),
        (BOARD,),
    ),
    Case("a rule for overruns waits for one", sample(approval_rules=[rule(overrun=True)])),
    Case(
        "a rule for overruns covers one",
        sample(approval_rules=[rule(overrun=True)], quota=OVER),
        (ASKED, over()),
        (BOARD,),
    ),
    Case(
        "an overrun that no rule covers needs the node's approver as well",
        sample(approval_rules=[rule()], quota=OVER),
        (ASKED, over()),
        (BY_DEPARTMENT, BOARD),
    ),
    Case(
        "a grant answers the approval",
        sample(approval_rules=[rule()], grant=grant("approval")),
        (),
        (BOARD,),
    ),
    Case(
        "a grant of something else does not",
        sample(approval_rules=[rule()], grant=grant("freeze")),
        (ASKED,),
        (BOARD,),
    ),
]


def spent(code: str, **changes: int) -> Finding:
    told = {name: value for name, value in budget(**changes).items() if name not in {"name", "reached"}}
    return Finding(code, {**told, "rule": "radiology-2026"})


ASKED_FOR_MONEY = sample(budgets=[budget(reached="approval")])
MONEY_NEED = need("budget-approval", "approver@radiology")

BUDGETS = [
    Case("a budget that is reached denies", sample(budgets=[budget()]), (spent("budget"),)),
    Case("one unit below it does not", sample(budgets=[budget(exposure=11_999_999_999)])),
    Case("what does not rise passes", sample(budgets=[budget()], increase={}, quota=[])),
    Case("a budget may ask for an approval", ASKED_FOR_MONEY, (spent("budget-approval"),), (MONEY_NEED,)),
    Case(
        "a grant answers that",
        sample(budgets=[budget(reached="approval")], grant=grant("budget-approval")),
        (),
        (MONEY_NEED,),
    ),
    Case("and nothing answers the other", sample(budgets=[budget()], grant=grant("budget")), (spent("budget"),)),
]

FREEZE = [
    Case("a freeze denies", sample(freezes=[freeze()]), (FROZEN,), (FREEZE_NEED,)),
    Case("a freeze of every environment denies", sample(freezes=[freeze(environments=[])]), (FROZEN,), (FREEZE_NEED,)),
    Case("a freeze of another environment does not", sample(freezes=[freeze(environments=["staging"])])),
    Case("a grant answers a freeze", sample(freezes=[freeze()], grant=grant("freeze"))),
    Case(
        "who approves by a rule approves in a freeze too",
        sample(freezes=[freeze()], approval_rules=[rule()]),
        (ASKED, FROZEN),
        (BOARD,),
    ),
    Case(
        "text is text to every engine",
        sample(
            freezes=[freeze(summary='Größe "1"\\\n\t\x01\u2028\U0001f3e5 \x7f </script>', calendar='","checks":["')]
        ),
        (
            Finding(
                "freeze",
                {
                    "calendar": '","checks":["',
                    "summary": 'Größe "1"\\\n\t\x01\u2028\U0001f3e5 \x7f </script>',
                    "ends_at_s": 1_795_003_600,
                },
            ),
        ),
        (FREEZE_NEED,),
    ),
]

PLACEMENT = [
    Case("a clinical workload does not run in the cloud", sample(cluster=CLOUD), (IN_CLOUD,)),
    Case("no grant answers that", sample(cluster=CLOUD, grant=grant("placement")), (IN_CLOUD,)),
    Case("another workload does", sample(cluster=CLOUD, project=project(labels={}))),
    Case(
        "a cluster that says nothing is not on premises",
        sample(cluster={"name": "attic", "labels": {}}),
        (Finding("placement", {"cluster": "attic", "location": ""}),),
    ),
    Case(
        "all at once",
        sample(cluster=CLOUD, quota=OVER, approval_rules=[rule()], freezes=[freeze()]),
        (ASKED, FROZEN, over(), IN_CLOUD),
        (BY_DEPARTMENT, BOARD),
    ),
]

AT_S = 1_794_999_000
NOW_S = 1_795_000_000


def unpassed(code: str, **values: object) -> Finding:
    """A finding about the sample's image."""
    of = {"image": IMAGE, "digest": IMAGE.partition("@")[2], "type": "vuln-scan", "node": "radiology"}
    return Finding(code, {**of, **values})


MISSING = unpassed("checkpoint-missing")
FAILED = unpassed("checkpoint-failed", at_s=AT_S)
EXPIRED = unpassed("checkpoint-expired", valid_until_s=NOW_S)
TAGGED = Finding("image-without-digest", {"image": "viewer:7", "type": "vuln-scan", "node": "radiology"})
BY_TAG = unchecked(image="viewer:7", digest="")

CHECKPOINTS = [
    Case("a passed checkpoint passes", sample(checkpoints=[checkpoint()])),
    Case("one that holds for a second more passes", sample(checkpoints=[checkpoint(valid_until_s=NOW_S + 1)])),
    Case(
        "one that holds until now does not",
        sample(checkpoints=[checkpoint(valid_until_s=NOW_S)]),
        (EXPIRED,),
        (need("checkpoint-expired", "approver@radiology"),),
    ),
    Case(
        "none is denied",
        sample(checkpoints=[unchecked()]),
        (MISSING,),
        (need("checkpoint-missing", "approver@radiology"),),
    ),
    Case(
        "a failed one is denied, however long it holds",
        sample(checkpoints=[checkpoint(result="fail", valid_until_s=1)]),
        (FAILED,),
        (need("checkpoint-failed", "approver@radiology"),),
    ),
    Case("a tag alone is denied, and nobody is asked", sample(checkpoints=[BY_TAG]), (TAGGED,)),
    Case("no grant answers that", sample(checkpoints=[BY_TAG], grant=grant("image-without-digest")), (TAGGED,)),
    Case(
        "a grant answers exactly what it waives",
        sample(checkpoints=[unchecked(), checkpoint(type="license", result="fail")], grant=grant("checkpoint-missing")),
        (unpassed("checkpoint-failed", type="license", at_s=AT_S),),
        (need("checkpoint-failed", "approver@radiology"), need("checkpoint-missing", "approver@radiology")),
    ),
    Case(
        "each type and image stands for itself",
        sample(checkpoints=[checkpoint(), unchecked(type="sbom", node="hospital"), BY_TAG]),
        (unpassed("checkpoint-missing", type="sbom", node="hospital"), TAGGED),
        (need("checkpoint-missing", "approver@hospital"),),
    ),
]

QUOTA_CHECKS = frozenset({"approval", "headroom"})
UNSOUND = [
    Case("nothing at all", {}, missing=ALL),
    Case("another version", sample(version=2), missing=ALL),
    Case("no time", sample(time_s=None), missing=ALL),
    Case("a time before these policies", sample(time_s=1_577_836_799), missing=ALL),
    Case("no quota", sample(quota=[]), missing=QUOTA_CHECKS),
    Case("a limit in words", sample(quota=quota(limit="10000")), missing=QUOTA_CHECKS),
    Case("a limit below nothing", sample(quota=quota(limit=-1)), missing=QUOTA_CHECKS),
    Case("usage below nothing", sample(quota=quota(used=-1)), missing=QUOTA_CHECKS),
    Case("usage that is true", sample(quota=quota(used=True)), missing=QUOTA_CHECKS),
    Case("an increase in words", sample(quota=quota(increase="1")), missing=QUOTA_CHECKS),
    Case("a node that is not there for one resource", sample(quota=quota(resource="pods")), missing=QUOTA_CHECKS),
    Case("a row that stands twice", sample(quota=[*quota(), row("hospital", limit=None)]), missing=QUOTA_CHECKS),
    Case("a project that rises by less", sample(increase={"requests.cpu": 2001}), missing=QUOTA_CHECKS),
    Case("a level below what rises", sample(level={"requests.cpu": 1999}), missing=frozenset({"approval"})),
    Case("no level", sample(level={}), missing=frozenset({"approval"})),
    Case("a rule that asks for nobody", sample(approval_rules=[rule(require=[])]), missing=frozenset({"approval"})),
    Case("no environment", sample(project=project(environment="")), missing=frozenset({"approval", "freeze"})),
    Case("a grant that waives in words", sample(grant={**grant(), "waives": "freeze"}), missing=ALL - {"placement"}),
    Case("no checkpoints to speak of", sample(checkpoints=None), missing=CHECKPOINT),
    Case("a result that is neither", sample(checkpoints=[checkpoint(result="passed")]), missing=CHECKPOINT),
    Case("a result of no digest", sample(checkpoints=[checkpoint(digest="")]), missing=CHECKPOINT),
    Case("an end in words", sample(checkpoints=[checkpoint(valid_until_s="later")]), missing=CHECKPOINT),
    Case("labels that are a list", sample(project=project(labels=["clinical"])), missing=frozenset({"placement"})),
]

CASES = [*HEADROOM, *APPROVAL, *BUDGETS, *FREEZE, *PLACEMENT, *CHECKPOINTS]
