"""Label selectors, node affinity and taints: which labels match, and on which nodes a DaemonSet runs.

Sources: apimachinery `labels.Selector`; component-helpers `scheduling/corev1/nodeaffinity`; the DaemonSet
controller's own tolerations (pkg/controller/daemon/util, AddOrUpdateDaemonPodTolerations).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webhooks.read import Object, at, flag, items, section, text

_DAEMON_TOLERATIONS = (
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/pid-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
)
_HOST_NETWORK = {"key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"}


def selects(selector: Object, labels: Mapping[str, object]) -> bool:
    """Whether a label selector matches. One without any requirement matches everything; a ReplicationController's is
    a plain map of labels."""
    plain = not selector.keys() & {"matchLabels", "matchExpressions"}
    equal = selector if plain else section(selector, "matchLabels")
    return all(labels.get(key) == value for key, value in equal.items()) and all(
        _meets(one, labels) for one in ([] if plain else items(selector, "matchExpressions"))
    )


def matching_nodes(nodes: Sequence[Object], pod_spec: Object) -> int:
    """On how many nodes a DaemonSet's pod is to run: node name, selector, required affinity, taints."""
    return sum(1 for node in nodes if _runs_on(node, pod_spec))


def _runs_on(node: Object, pod_spec: Object) -> bool:
    name, labels = text(node, "metadata.name"), section(node, "metadata.labels")
    wanted = text(pod_spec, "nodeName")
    if wanted and wanted != name:
        return False
    if not all(labels.get(key) == value for key, value in section(pod_spec, "nodeSelector").items()):
        return False
    required = at(pod_spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution")
    if required is not None and not any(
        _meets_term(term, name, labels) for term in items(required, "nodeSelectorTerms")
    ):
        return False
    tolerations = [*items(pod_spec, "tolerations"), *_DAEMON_TOLERATIONS]
    if flag(pod_spec, "hostNetwork"):
        tolerations.append(_HOST_NETWORK)
    return all(
        any(_tolerates(one, taint) for one in tolerations)
        for taint in items(node, "spec.taints")
        if text(taint, "effect") in {"NoSchedule", "NoExecute"}
    )


def _meets_term(term: Object, name: str, labels: Mapping[str, object]) -> bool:
    expressions, fields = items(term, "matchExpressions"), items(term, "matchFields")
    if not expressions and not fields:
        return False  # an empty term matches nothing
    return all(_meets(one, labels) for one in expressions) and all(
        _meets(one, {"metadata.name": name}) for one in fields
    )


def _meets(requirement: Object, labels: Mapping[str, object]) -> bool:
    found = labels.get(text(requirement, "key"))
    values = requirement.get("values") or []
    match text(requirement, "operator"):
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt" | "Lt" as operator:
            return _compares(operator, found, values)
        case _:
            return False


def _compares(operator: str, found: object, values: Sequence[object]) -> bool:
    try:
        one, other = int(str(found)), int(str(values[0]))
    except (ValueError, IndexError):
        return False
    return one > other if operator == "Gt" else one < other


def _tolerates(toleration: Object, taint: Object) -> bool:
    effect, key = text(toleration, "effect"), text(toleration, "key")
    if effect and effect != text(taint, "effect"):
        return False
    if key and key != text(taint, "key"):
        return False
    if text(toleration, "operator") == "Exists":
        return True
    return bool(key) and text(toleration, "value") == text(taint, "value")
