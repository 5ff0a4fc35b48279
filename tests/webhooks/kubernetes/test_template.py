from dataclasses import replace
from typing import Any

import pytest

from governance.units import ResourceList
from tests.webhooks.kubernetes.samples import AROUND, Json, container, pod_spec
from webhooks.kubernetes.surroundings import Surroundings
from webhooks.kubernetes.template import as_stored, running_view, template_hash, unit_of


def unit(spec: Json, around: Surroundings = AROUND) -> ResourceList:
    return unit_of(as_stored(spec, "radiology", around), "radiology", around)


def hashed(spec: Json, *, controlled: bool = False) -> str:
    return template_hash(running_view(as_stored(spec, "radiology", AROUND), controlled=controlled))


def resources(**more: Any) -> Json:  # noqa: ANN401
    return pod_spec(containers=[container(resources=more)])


def test_limits_default_requests() -> None:
    assert unit(resources(limits={"cpu": "2", "nvidia.com/gpu": "1"})) == ResourceList(
        {"pods": 1, "requests.cpu": 2000, "limits.cpu": 2000, "requests.nvidia.com/gpu": 1}
    )


def test_a_limit_range_gives_defaults_and_of_several_the_larger() -> None:
    def limit_range(limit: str, request: str) -> Json:
        item = {"type": "Container", "default": {"cpu": limit}, "defaultRequest": {"cpu": request}}
        return {"spec": {"limits": [item, {"type": "Pod", "default": {"cpu": "99"}}]}}

    around = replace(AROUND, limit_ranges={"radiology": [limit_range("1", "100m"), limit_range("500m", "200m")]})
    assert unit(resources(), around) == ResourceList({"pods": 1, "requests.cpu": 200, "limits.cpu": 1000})
    assert unit(resources(requests={"cpu": "10m"}), around)["requests.cpu"] == 10
    assert unit(resources(limits={"cpu": "50m"}), around)["requests.cpu"] == 50
    assert unit(resources(), AROUND) == ResourceList({"pods": 1})


def test_a_runtime_class_adds_its_overhead() -> None:
    around = replace(AROUND, overheads={"kata": {"cpu": "30m", "memory": "16Mi"}})
    found = unit(pod_spec(runtimeClassName="kata"), around)
    assert found == ResourceList({"pods": 1, "requests.cpu": 130, "requests.memory": 16 * 2**20})


def test_what_is_set_for_the_whole_pod_bounds_what_is_not() -> None:
    spec = {**resources(limits={"cpu": "1"}, requests={"cpu": "100m"}), "resources": {"limits": {"memory": "1Gi"}}}
    assert unit(spec) == ResourceList(
        {"pods": 1, "requests.cpu": 100, "limits.cpu": 1000, "requests.memory": 2**30, "limits.memory": 2**30}
    )


def test_what_containers_request_comes_before_what_the_whole_pod_may_take() -> None:
    spec = {**resources(requests={"cpu": "100m"}), "resources": {"limits": {"cpu": "2"}}}
    assert unit(spec) == ResourceList({"pods": 1, "requests.cpu": 100, "limits.cpu": 2000})


def test_a_limit_for_the_whole_pod_follows_only_if_every_container_has_one() -> None:
    limited = container(resources={"limits": {"cpu": "1"}})
    free = container(name="free", resources={})
    pod_level = {"resources": {"requests": {"cpu": "4"}}}
    assert unit({"containers": [limited], **pod_level})["limits.cpu"] == 4000
    assert unit({"containers": [limited, free], **pod_level})["limits.cpu"] == 1000


SAME: list[tuple[str, Json]] = [
    ("labels on resources", resources(requests={"cpu": "0.1"})),
    ("environment", pod_spec(containers=[container(env=[{"name": "TOKEN", "value": "secret"}])])),
    ("command", pod_spec(containers=[container(command=["sh"], args=["--password=secret"])])),
    ("probes", pod_spec(containers=[container(livenessProbe={"httpGet": {"port": 80}})])),
    ("the default scheduler", pod_spec(schedulerName="default-scheduler", dnsPolicy="ClusterFirst")),
    ("empty members", pod_spec(affinity={}, nodeSelector={}, securityContext={}, tolerations=[], hostNetwork=False)),
    (
        "the system's tolerations",
        pod_spec(tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]),
    ),
    ("the token's volume", pod_spec(volumes=[{"name": "kube-api-access-x", "projected": {"sources": []}}])),
    ("a claim's volume", pod_spec(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}}])),
]
DIFFERENT: list[tuple[str, Json]] = [
    ("image", pod_spec(containers=[container(image="registry/viewer:2")])),
    ("requests", resources(requests={"cpu": "101m"})),
    ("limits", resources(requests={"cpu": "100m"}, limits={"cpu": "1"})),
    ("privileges", pod_spec(containers=[container(securityContext={"privileged": True})])),
    ("security context", pod_spec(securityContext={"runAsUser": 0})),
    ("node selector", pod_spec(nodeSelector={"zone": "cloud"})),
    ("node", pod_spec(nodeName="node-1")),
    ("affinity", pod_spec(affinity={"podAffinity": {"x": 1}})),
    ("tolerations", pod_spec(tolerations=[{"key": "gpu", "operator": "Exists"}])),
    ("runtime class", pod_spec(runtimeClassName="kata")),
    ("scheduler", pod_spec(schedulerName="batch")),
    ("priority", pod_spec(priorityClassName="urgent")),
    ("spread", pod_spec(topologySpreadConstraints=[{"maxSkew": 1}])),
    ("host path", pod_spec(volumes=[{"name": "host", "hostPath": {"path": "/"}}])),
    ("host network", pod_spec(hostNetwork=True)),
    ("deadline", pod_spec(activeDeadlineSeconds=60)),
    ("another container", pod_spec(containers=[container(), container(name="two")])),
    ("an init container", pod_spec(initContainers=[container(name="init")])),
    ("an ephemeral container", pod_spec(ephemeralContainers=[container(name="debug")])),
    ("an image volume", pod_spec(volumes=[{"name": "model", "image": {"reference": "models/lung:3"}}])),
    ("pod level", pod_spec(resources={"limits": {"memory": "1Gi"}})),
]


@pytest.mark.parametrize("spec", [spec for _, spec in SAME], ids=[name for name, _ in SAME])
def test_what_does_not_change_what_runs_leaves_the_hash(spec: Json) -> None:
    assert hashed(spec) == hashed(pod_spec())


@pytest.mark.parametrize("spec", [spec for _, spec in DIFFERENT], ids=[name for name, _ in DIFFERENT])
def test_what_changes_what_runs_changes_the_hash(spec: Json) -> None:
    assert hashed(spec) != hashed(pod_spec())
    assert len({hashed(one) for _, one in DIFFERENT}) == len(DIFFERENT)


def test_the_order_of_containers_does_not_matter_that_of_init_containers_does() -> None:
    one, two = container(name="one"), container(name="two")
    assert hashed({"containers": [one, two]}) == hashed({"containers": [two, one]})
    assert hashed(pod_spec(initContainers=[one, two])) != hashed(pod_spec(initContainers=[two, one]))


def test_the_node_that_a_controller_chose_is_no_wish() -> None:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    bound = pod_spec(nodeName="node-1", affinity={"nodeAffinity": {required: {"nodeSelectorTerms": [term]}}})
    assert hashed(bound, controlled=True) == hashed(pod_spec())
    assert hashed(bound) != hashed(pod_spec())


def test_no_secret_enters_the_view() -> None:
    secret = container(env=[{"name": "TOKEN", "value": "hush"}], command=["hush"], args=["hush"])
    volume = {"name": "s", "secret": {"secretName": "hush"}}
    view = running_view(as_stored({"containers": [secret], "volumes": [volume]}, "radiology", AROUND))
    assert "hush" not in str(view)
