from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import BadInput
from governance.quota.model import AUTOSCALER, Declaration
from governance.units import ResourceList
from tests.webhooks.kubernetes.samples import AROUND, Json, container, deployment, pod, pod_spec, thing
from webhooks.kubernetes.footprint import (
    declaration_of,
    flatten,
    governs,
    is_unseen,
    unknown_of,
)
from webhooks.kubernetes.kinds import Scalable, canonical_resource, count_name, kind_of_manifest
from webhooks.kubernetes.surroundings import Surroundings

UNIT = ResourceList({"pods": 1, "requests.cpu": 100})


def declared(kind: str, source: Json, around: Surroundings = AROUND, **more: Any) -> Declaration:  # noqa: ANN401
    found = declaration_of(kind, source, around, **more)
    assert found is not None
    return found


def count(name: str) -> ResourceList:
    return ResourceList({f"count/{name}": 1})


def node(name: str, labels: Json | None = None, taints: list[Json] | None = None) -> Json:
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"taints": taints or []}}


class TestDeployment:
    def test_takes_its_replicas_times_a_pod_and_counts_itself(self) -> None:
        found = declared("apps/deployments", deployment(3))
        assert found.value() == UNIT * 3 + count("deployments.apps")

    def test_without_replicas_is_one(self) -> None:
        source = deployment()
        del source["spec"]["replicas"]
        assert declared("apps/deployments", source).replicas == 1

    @pytest.mark.parametrize(
        ("replicas", "surge", "extra"),
        [
            (4, "25%", 1),
            (5, "25%", 2),
            (10, "0%", 0),
            (10, 3, 3),
            (3, None, 1),
            (0, "25%", 0),
            (0, 3, 0),
            (1, "200%", 2),
        ],
    )
    def test_surges_by_a_number_or_a_percentage_rounded_up(
        self, replicas: int, surge: str | int | None, extra: int
    ) -> None:
        source = deployment(replicas)
        source["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": surge}}
        found = declared("apps/deployments", source, changing=True)
        assert found.surge == extra
        assert found.value() == UNIT * (replicas + extra) + count("deployments.apps")

    def test_that_recreates_its_pods_never_surges(self) -> None:
        source = deployment(4)
        source["spec"]["strategy"] = {"type": "Recreate"}
        assert declared("apps/deployments", source, changing=True).surge == 0

    def test_rolls_while_its_template_changes(self) -> None:
        before = declared("apps/deployments", deployment(4))
        changed = deployment(4, template=pod_spec(containers=[container(image="registry/viewer:2")]))
        assert declared("apps/deployments", changed, before=before).rolling
        assert not declared("apps/deployments", deployment(4), before=before).rolling

    def test_rolls_while_more_than_one_replica_set_is_active(self) -> None:
        status = {"observedGeneration": 2, "replicas": 5, "updatedReplicas": 2}
        assert declared("apps/deployments", deployment(4, status=status, generation=2)).rolling

    def test_stays_rolling_until_its_controller_has_seen_the_change(self) -> None:
        status = {"observedGeneration": 1, "replicas": 4, "updatedReplicas": 4}
        unseen = deployment(4, status=status, generation=2)
        known = declared("apps/deployments", deployment(4, status=status, generation=1))
        assert declared("apps/deployments", unseen, before=replace(known, rolling=True)).rolling
        assert not declared("apps/deployments", unseen, before=known).rolling  # it was scaled
        assert declared("apps/deployments", unseen).rolling  # nothing known: the larger
        assert is_unseen("apps/deployments", unseen)
        assert not is_unseen("apps/deployments", deployment(4, status=status, generation=1))
        assert not is_unseen("apps/statefulsets", unseen)

    def test_that_is_rolled_out_no_longer_rolls(self) -> None:
        status = {"observedGeneration": 2, "replicas": 4, "updatedReplicas": 4}
        source = deployment(4, status=status, generation=2)
        known = replace(declared("apps/deployments", source), rolling=True, template="another")
        assert not declared("apps/deployments", source, before=known).rolling

    def test_that_is_new_does_not_roll(self) -> None:
        assert not declared("apps/deployments", deployment(4, generation=1)).rolling

    @pytest.mark.parametrize(
        ("path", "value", "field"),
        [
            ("replicas", "three", "spec.replicas"),
            ("replicas", -1, "spec.replicas"),
            ("replicas", 2**31, "spec.replicas"),
            ("replicas", True, "spec.replicas"),
            ("replicas", 1.5, "spec.replicas"),
            ("strategy", {"rollingUpdate": {"maxSurge": "a lot"}}, "spec.strategy.rollingUpdate.maxSurge"),
            ("strategy", "soon", "spec.strategy.type"),
            ("template", {"spec": {"containers": {}}}, "containers"),
            ("template", {"spec": {"containers": [7]}}, "containers"),
            ("template", {"spec": pod_spec(containers=[container(image=7)])}, "image"),
        ],
    )
    def test_with_a_field_of_a_wrong_type_is_refused_by_name(self, path: str, value: object, field: str) -> None:
        source = deployment()
        source["spec"][path] = value
        with pytest.raises(BadInput) as caught:
            declared("apps/deployments", source)
        assert caught.value.field == field

    def test_with_a_bad_quantity_is_refused_by_name(self) -> None:
        spec = pod_spec(containers=[container(resources={"requests": {"cpu": "much"}})])
        with pytest.raises(BadInput) as caught:
            declared("apps/deployments", deployment(template=spec))
        assert caught.value.field == "resources.requests.cpu"


@pytest.mark.parametrize(
    ("kind", "counted"),
    [("apps/replicasets", "replicasets.apps"), ("core/replicationcontrollers", "replicationcontrollers")],
)
def test_a_replica_set_takes_its_replicas_times_a_pod(kind: str, counted: str) -> None:
    source = thing("Any", {"replicas": 2, "template": {"spec": pod_spec()}})
    assert declared(kind, source).value() == UNIT * 2 + count(counted)


def test_a_stateful_set_takes_claims_with_each_replica() -> None:
    def claim(name: str, spec: Json) -> Json:
        return {"metadata": {"name": name}, "spec": spec}

    requested = {"resources": {"requests": {"storage": "2Gi"}}}
    claims = [claim("data", requested), claim("logs", {**requested, "storageClassName": "slow"})]
    source = thing("StatefulSet", {"replicas": 3, "template": {"spec": pod_spec()}, "volumeClaimTemplates": claims})
    found = declared("apps/statefulsets", source, replace(AROUND, storage_class="fast"))
    one = {"persistentvolumeclaims": 1, "requests.storage": 2 * 2**30}
    by_class = {
        f"{name}.storageclass.storage.k8s.io/{part}": value for name in ("fast", "slow") for part, value in one.items()
    }
    both = ResourceList(one) * 2 + ResourceList(by_class)
    assert found.value() == (UNIT + both) * 3 + count("statefulsets.apps")
    assert found.claims == ("data-viewer", "logs-viewer")
    assert found.template == declared("apps/deployments", deployment()).template  # as its pods have it


class TestDaemonSet:
    def test_takes_a_pod_on_each_matching_node(self) -> None:
        nodes = [node("a", {"zone": "1"}), node("b", {"zone": "2"}), node("c", {"zone": "1"})]
        source = thing("DaemonSet", {"template": {"spec": pod_spec(nodeSelector={"zone": "1"})}})
        found = declared("apps/daemonsets", source, replace(AROUND, nodes=nodes))
        assert found.value() == UNIT * 2 + count("daemonsets.apps")

    def test_surges_only_if_it_says_so(self) -> None:
        around = replace(AROUND, nodes=[node(name) for name in "abc"])
        source = thing("DaemonSet", {"template": {"spec": pod_spec()}})
        assert declared("apps/daemonsets", source, around, changing=True).surge == 0
        source["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%"}}
        found = declared("apps/daemonsets", source, around, changing=True)
        assert (found.surge, found.value()["pods"]) == (2, 5)


@pytest.mark.parametrize(
    ("kind", "missing", "told"),
    [
        ("apps/daemonsets", ["nodes", "limit ranges"], "not read yet: nodes, limit ranges"),
        ("apps/deployments", ["nodes", "limit ranges"], "not read yet: limit ranges"),
        ("core/pods", ["runtime classes"], "not read yet: runtime classes"),
        ("apps/deployments", ["nodes"], ""),
        ("core/services", ["limit ranges"], ""),
        ("apps/daemonsets", [], ""),
    ],
)
def test_what_something_takes_is_not_known_before_all_that_it_depends_on_was_read(
    kind: str, missing: list[str], told: str
) -> None:
    assert unknown_of(kind, replace(AROUND, missing=missing)) == told


class TestJob:
    @pytest.mark.parametrize(
        ("spec", "status", "pods"),
        [
            ({}, {}, 1),
            ({"parallelism": 4}, {}, 4),
            ({"parallelism": 4, "completions": 3}, {}, 3),
            ({"parallelism": 4, "completions": 9}, {"succeeded": 7}, 2),
            ({"parallelism": 4, "completions": 9}, {"succeeded": 9}, 0),
            ({"completions": 9}, {"succeeded": 2}, 1),
            ({"parallelism": 4, "suspend": True}, {}, 0),
            ({"parallelism": 0}, {}, 0),
            ({"parallelism": 4}, {"succeeded": 1, "active": 2}, 2),
            ({"parallelism": 4}, {"conditions": [{"type": "Complete", "status": "True"}]}, 0),
            ({"parallelism": 4}, {"conditions": [{"type": "Failed", "status": "True"}]}, 0),
            ({"parallelism": 4}, {"conditions": [{"type": "Failed", "status": "False"}]}, 4),
        ],
    )
    def test_takes_what_is_left_to_do(self, spec: Json, status: Json, pods: int) -> None:
        source = thing("Job", {**spec, "template": {"spec": pod_spec()}}, status=status)
        assert declared("batch/jobs", source).value() == UNIT * pods + count("jobs.batch")


def test_a_cron_job_takes_nothing_and_tells_what_one_run_takes() -> None:
    spec = {"suspend": True, "jobTemplate": {"spec": {"parallelism": 3, "template": {"spec": pod_spec()}}}}
    found = declared("batch/cronjobs", thing("CronJob", spec))
    assert found.value() == count("cronjobs.batch")
    assert (found.unit, found.surge, found.rolling) == (UNIT, 3, False)


def test_a_pod_takes_what_it_requests_until_it_ends() -> None:
    running = pod()
    assert declared("core/pods", running).value() == UNIT + count("pods")
    assert declared("core/pods", {**running, "status": {"phase": "Succeeded"}}).value() == count("pods")


def owned_by(kind: str, **labels: str) -> Json:
    return pod(ownerReferences=[{"kind": kind, "name": "viewer", "uid": "u", "controller": True}], labels=labels)


def test_a_pod_and_its_owner_tell_of_which_template_it_was_made_where_several_live_on() -> None:
    labels = {"controller-revision-hash": "viewer-2", "pod-template-generation": "2", "pod-template-hash": "2"}
    made_of = {
        kind: declared("core/pods", owned_by(kind, **labels)).revision
        for kind in ("StatefulSet", "DaemonSet", "ReplicaSet", "Job")
    }
    assert made_of == {"StatefulSet": "viewer-2", "DaemonSet": "2", "ReplicaSet": "", "Job": ""}
    assert declared("core/pods", pod(labels=labels)).revision == ""
    spec = {"replicas": 1, "template": {"spec": pod_spec()}}
    found = declared("apps/statefulsets", thing("StatefulSet", spec, status={"updateRevision": "viewer-2"}))
    assert found.revision == "viewer-2"
    annotations = {"deprecated.daemonset.template.generation": "2"}
    source = thing("DaemonSet", spec, metadata={"annotations": annotations})
    assert declared("apps/daemonsets", source, replace(AROUND, nodes=[])).revision == "2"


def test_a_pod_takes_the_claims_that_are_made_for_it() -> None:
    template = {"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}}
    spec = pod_spec(
        volumes=[{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}],
        resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}],
    )
    devices = {
        "devices": {"requests": [{"exactly": {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}}]}
    }
    around = replace(AROUND, claim_templates={"radiology/one-gpu": {"spec": {"spec": devices}}})
    expected = {"persistentvolumeclaims": 1, "requests.storage": 2**30, "gpu.deviceclass.resource.k8s.io/devices": 1}
    for found in (
        declared("core/pods", thing("Pod", spec), around).unit,
        declared("apps/deployments", deployment(template=spec), around).unit,
    ):
        assert {name: found[name] for name in expected} == expected


def test_a_claim_and_a_service_count_themselves() -> None:
    claim = thing("PersistentVolumeClaim", {"resources": {"requests": {"storage": "1Gi"}}})
    assert declared("core/persistentvolumeclaims", claim).value() == ResourceList(
        {"persistentvolumeclaims": 1, "requests.storage": 2**30, "count/persistentvolumeclaims": 1}
    )
    service = thing("Service", {"type": "LoadBalancer", "ports": [{"port": 80}, {"port": 443}]})
    assert declared("core/services", service).value() == ResourceList(
        {"services": 1, "services.loadbalancers": 1, "services.nodeports": 2, "count/services": 1}
    )


@pytest.mark.parametrize(
    ("version", "manifest", "target"),
    [
        ("apps/v1", "Deployment", "apps/deployments/radiology/viewer"),
        ("v1", "ReplicationController", "core/replicationcontrollers/radiology/viewer"),
        ("argoproj.io/v1", "Rollout", "argoproj.io/rollouts/radiology/viewer"),
        ("example.org/v1", "Rollout", ""),
        ("apps/v1", "DaemonSet", ""),
    ],
)
def test_an_autoscaler_takes_nothing_and_tells_how_far_it_may_scale_what(
    version: str, manifest: str, target: str
) -> None:
    rollout = Scalable("argoproj.io/rollouts", "Rollout")
    scaled = {"apiVersion": version, "kind": manifest, "name": "viewer"}
    source = thing("HorizontalPodAutoscaler", {"maxReplicas": 9, "scaleTargetRef": scaled})
    found = declared(AUTOSCALER, source, replace(AROUND, scalables={rollout.kind: rollout}))
    assert found.value() == count("horizontalpodautoscalers.autoscaling")
    assert (found.target, found.maximum) == (target, 9 if target else 0)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"maxReplicas": "9"}, "spec.maxReplicas"),
        ({"maxReplicas": 9, "scaleTargetRef": "viewer"}, "spec.scaleTargetRef.apiVersion"),
        ({"maxReplicas": 9, "scaleTargetRef": {"apiVersion": 1}}, "spec.scaleTargetRef.apiVersion"),
        ({"maxReplicas": 9, "scaleTargetRef": {"kind": ["Deployment"]}}, "spec.scaleTargetRef.kind"),
        ({"maxReplicas": 9, "scaleTargetRef": {"name": 7}}, "spec.scaleTargetRef.name"),
    ],
)
def test_an_autoscaler_that_is_written_wrongly_is_refused_naming_the_field(spec: Json, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        declared(AUTOSCALER, thing("HorizontalPodAutoscaler", spec))
    assert caught.value.field == field


@pytest.mark.parametrize("spec", [{}, {"scaleTargetRef": {}}, {"maxReplicas": 3, "scaleTargetRef": None}])
def test_an_autoscaler_of_nothing_scales_nothing(spec: Json) -> None:
    found = declared(AUTOSCALER, thing("HorizontalPodAutoscaler", spec))
    assert (found.target, found.maximum) == ("", 0)


def test_a_kind_of_ones_own_is_read_by_its_paths() -> None:
    rollout = Scalable("argoproj.io/rollouts", "Rollout", "spec.count", "spec.workload")
    around = replace(AROUND, scalables={rollout.kind: rollout})
    source = thing("Rollout", {"count": 4, "workload": {"spec": pod_spec()}})
    assert declared(rollout.kind, source, around).value() == UNIT * 4 + count("rollouts.argoproj.io")
    assert governs(rollout.kind, around)


def test_an_unknown_kind_declares_nothing() -> None:
    assert declaration_of("core/configmaps", {}, AROUND) is None
    assert not governs("core/configmaps", AROUND)


def test_the_images_are_told_once_each_and_sorted() -> None:
    spec = pod_spec(
        containers=[container(image="b"), container(name="two", image="a")],
        initContainers=[container(name="init", image="b")],
        volumes=[{"name": "model", "image": {"reference": "models/lung:3"}}],
    )
    assert declared("apps/deployments", deployment(template=spec)).images == ("a", "b", "models/lung:3")


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 50))
def test_more_replicas_never_take_less(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert (
        declared("apps/deployments", deployment(small)).value()
        <= declared("apps/deployments", deployment(large)).value()
    )


def test_names_of_kinds_and_resources() -> None:
    assert (count_name("core/pods"), count_name("apps/deployments")) == ("count/pods", "count/deployments.apps")
    assert kind_of_manifest("v1", "Pod") == "core/pods"
    assert kind_of_manifest("argoproj.io/v1alpha1", "Rollout") == "argoproj.io/Rollout"
    assert [canonical_resource(name) for name in ("cpu", "hugepages-2Mi", "limits.cpu", "requests.nvidia.com/gpu")] == [
        "requests.cpu",
        "requests.hugepages-2Mi",
        "limits.cpu",
        "requests.nvidia.com/gpu",
    ]


def test_leaves_are_found_by_name_where_members_have_one() -> None:
    assert flatten({"a": [{"name": "x", "b": 1}], "c": [1, 2], "d": {}}, "p") == {
        "p.a[x].name": "x",
        "p.a[x].b": 1,
        "p.c[0]": 1,
        "p.c[1]": 2,
        "p.d": {},
    }
