import pytest

from tests.webhooks.kubernetes.samples import Json, pod_spec
from webhooks.kubernetes.selectors import matching_nodes, selects

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def expression(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ({"app": "a"}, {"app": "a", "b": "c"}, True),
        ({"app": "a"}, {"app": "b"}, False),
        ({"matchLabels": {"app": "a"}}, {"app": "a"}, True),
        ({"matchLabels": {"app": "a"}}, {}, False),
        ({"matchExpressions": [expression("app", "In", "a", "b")]}, {"app": "b"}, True),
        ({"matchExpressions": [expression("app", "NotIn", "a")]}, {}, True),
        ({"matchExpressions": [expression("app", "NotIn", "a")]}, {"app": "a"}, False),
        ({"matchExpressions": [expression("app", "Exists")]}, {"app": ""}, True),
        ({"matchExpressions": [expression("app", "DoesNotExist")]}, {"app": ""}, False),
        ({"matchLabels": {"app": "a"}, "matchExpressions": [expression("x", "Exists")]}, {"app": "a"}, False),
        ({"matchExpressions": [expression("app", "Unknown", "a")]}, {"app": "a"}, False),
    ],
)
def test_a_selector_selects(selector: Json, labels: Json, expected: bool) -> None:
    assert selects(selector, labels) is expected


def node(name: str = "one", labels: Json | None = None, taints: list[Json] | None = None) -> Json:
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"taints": taints or []}}


def affinity(*terms: Json) -> Json:
    return pod_spec(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}})


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("spec", "where", "runs"),
    [
        (pod_spec(), node(), True),
        (pod_spec(nodeName="one"), node(), True),
        (pod_spec(nodeName="two"), node(), False),
        (pod_spec(nodeSelector={"zone": "1"}), node(labels={"zone": "1"}), True),
        (pod_spec(nodeSelector={"zone": "1"}), node(), False),
        (affinity({"matchExpressions": [expression("cores", "Gt", "8")]}), node(labels={"cores": "16"}), True),
        (affinity({"matchExpressions": [expression("cores", "Lt", "8")]}), node(labels={"cores": "16"}), False),
        (affinity({"matchExpressions": [expression("cores", "Gt", "8")]}), node(labels={"cores": "many"}), False),
        (affinity({"matchFields": [expression("metadata.name", "In", "one")]}), node(), True),
        (affinity({"matchFields": [expression("metadata.name", "In", "two")]}, {}), node(), False),
        (
            affinity(
                {"matchExpressions": [expression("a", "Exists")]}, {"matchExpressions": [expression("b", "Exists")]}
            ),
            node(labels={"b": ""}),
            True,
        ),
        (affinity(), node(), False),
        (pod_spec(), node(taints=[TAINT]), False),
        (pod_spec(), node(taints=[{**TAINT, "effect": "PreferNoSchedule"}]), True),
        (pod_spec(tolerations=[{"key": "gpu", "operator": "Exists"}]), node(taints=[TAINT]), True),
        (pod_spec(tolerations=[{"key": "gpu", "value": "yes"}]), node(taints=[TAINT]), True),
        (pod_spec(tolerations=[{"key": "gpu", "value": "no"}]), node(taints=[TAINT]), False),
        (pod_spec(tolerations=[{"operator": "Exists"}]), node(taints=[TAINT]), True),
        (pod_spec(tolerations=[{"value": "yes"}]), node(taints=[TAINT]), False),
        (pod_spec(tolerations=[{"operator": "Exists", "effect": "NoExecute"}]), node(taints=[TAINT]), False),
        (pod_spec(), node(taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]), True),
        (pod_spec(), node(taints=[{"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}]), False),
        (
            pod_spec(hostNetwork=True),
            node(taints=[{"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}]),
            True,
        ),
    ],
)
def test_a_daemon_set_runs_on_the_nodes_that_it_may(spec: Json, where: Json, runs: bool) -> None:
    assert matching_nodes([where], spec) == int(runs)
