"""The control plane behaves as a cluster does."""

import json
from pathlib import Path

import pytest

from tests.parts import cluster
from tests.parts.cluster import Cluster, Json, KubectlError
from tests.parts.process import wait_until

pytestmark = [pytest.mark.real]


def deployment(namespace: str, replicas: int) -> Json:
    labels = {"app": "imaging"}
    container = {"name": "viewer", "image": "registry.example/viewer:1", "resources": {"requests": {"cpu": "1"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "imaging", "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def nodes_of(pods: list[Json]) -> set[str]:
    return {pod["spec"]["nodeName"] for pod in pods}


def test_a_person_with_the_role_deploys_and_pods_run(kubernetes: Cluster) -> None:
    kubernetes.kubectl("create", "namespace", "deploys")
    with pytest.raises(KubectlError, match="forbidden"):
        kubernetes.apply(deployment("deploys", 2), user="okafor")
    kubernetes.may("okafor", "edit", "deploys")
    kubernetes.apply(deployment("deploys", 2), user="okafor")
    wait_until(lambda: len(kubernetes.running_pods("deploys")) == 2, "two pods run")


def test_each_controller_acts_under_its_own_name(kubernetes: Cluster) -> None:
    secrets = kubernetes.get_all("serviceaccounts", "kube-system")
    names = {account["metadata"]["name"] for account in secrets}
    assert {"replicaset-controller", "deployment-controller", "job-controller"} <= names


def test_the_pods_of_a_lost_node_come_back_on_another(tmp_path: Path) -> None:
    with cluster.start(tmp_path) as control_plane:
        control_plane.apply(deployment("default", 4))
        wait_until(lambda: nodes_of(control_plane.running_pods()) == {"node-1", "node-2"}, "both nodes are used")

        control_plane.lose_node("node-1")
        wait_until(lambda: nodes_of(control_plane.running_pods()) == {"node-2"}, "pods left the lost node", 60)
        wait_until(lambda: len(control_plane.running_pods()) == 4, "the lost pods are replaced", 60)

        control_plane.restore_node("node-1")
        wait_until(lambda: len(control_plane.get_all("pods")) == 4, "the lost pods are gone")


def test_without_nodes_objects_are_stored_and_nothing_follows(tmp_path: Path) -> None:
    with cluster.start(tmp_path, nodes=0) as control_plane:
        control_plane.apply(deployment("default", 1))
        assert control_plane.get("deployment", "imaging")["spec"]["replicas"] == 1
        assert control_plane.get_all("replicasets") == []
        assert json.loads(control_plane.kubectl("get", "--raw", "/version"))["minor"] == "37"
