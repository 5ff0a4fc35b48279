"""What pages say of a request: in words that a doctor understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from governance.admission.asking import violation_sentences
from governance.admission.tables import DecisionRow
from governance.change.model import QuotaRow
from governance.wording import SPACE, amount_text, measured, noun, unit_for, would_be

_KINDS = {
    "apps/deployments": "Deployment",
    "apps/statefulsets": "StatefulSet",
    "apps/daemonsets": "DaemonSet",
    "apps/replicasets": "ReplicaSet",
    "batch/jobs": "Job",
    "batch/cronjobs": "CronJob",
    "core/pods": "Pod",
    "core/persistentvolumeclaims": "volume claim",
    "core/services": "Service",
    "core/replicationcontrollers": "ReplicationController",
    "autoscaling/horizontalpodautoscalers": "autoscaler",
}
_VERBS = {"CREATE": ("create", "created"), "UPDATE": ("change", "changed"), "DELETE": ("delete", "deleted")}


def kind_title(kind: str) -> str:
    """`Deployment` for apps/deployments; an unknown kind keeps its own name."""
    return _KINDS.get(kind, kind.rpartition("/")[2])


def asked(row: DecisionRow) -> str:
    """`okafor asked to scale Deployment ct-train to 8 replicas`, without a full stop."""
    return f"{row.actor} asked to {_deed(row, 0)}"


def decided(row: DecisionRow) -> str:
    """The whole sentence: what was asked, and what came of it."""
    return f"{asked(row)}, and it was {'allowed' if row.outcome == 'allow' else 'denied'}."


def _deed(row: DecisionRow, tense: int) -> str:
    what = f"{kind_title(row.kind)} {row.name or '(a generated name)'}"
    replicas = replicas_of(row.request)
    if row.operation == "UPDATE" and replicas is not None and len(row.request.get("changes", {})) == 1:
        return f"{('scale', 'scaled')[tense]} {what} to {replicas}{SPACE}replica{'' if replicas == 1 else 's'}"
    verb = _VERBS.get(row.operation, ("change", "changed"))[tense]
    return f"{verb} {what}"


def replicas_of(request: Mapping[str, Any]) -> int | None:
    """The replicas that were asked for, where they were."""
    value = request.get("changes", {}).get("spec.replicas")
    return value if isinstance(value, int) else None


def consequence(rows: Sequence[QuotaRow], titles: Mapping[str, str]) -> str:
    """What it would do to the quota: of the node and resource that it presses hardest.

    Args:
        rows: the nodes of the path with what rises there.
        titles: node ids to titles; a node that is gone keeps the name that it had.
    """
    limited = [row for row in rows if row.limit is not None and row.increase > 0]
    if not limited:
        return "No limit stands against it."
    row = max(limited, key=lambda one: (one.used + one.increase) * 1_000_000 // max(one.limit or 0, 1))
    return would_be(titles.get(row.node_id, row.node), row.resource, row.used, row.increase, row.limit or 0)


def reasons(found: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> tuple[str, ...]:
    """Violations or warnings as they are stored, each as a whole sentence.

    Args:
        titles: nodes as policy named them, to what people call them.
    """
    return tuple(
        _headroom(one, titles) or _whole(text) for one, text in zip(found, violation_sentences(found), strict=True)
    )


def _headroom(found: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    if found["code"] != "headroom":
        return ""
    resource = found["resource"]
    unit = unit_for(resource, (found["requested"], found["used"], found["limit"]))
    requested, used, limit = (amount_text(found[one], unit) for one in ("requested", "used", "limit"))
    what, title = measured(noun(resource), unit), titles.get(found["node"], found["node"])
    return f"{title} may take {limit}{SPACE}{what} and has {used}; {requested} more were requested."


def _whole(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
