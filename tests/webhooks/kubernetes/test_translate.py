from dataclasses import replace

import pytest

from governance.admission.digest import digest_of, footprint_of, subject_of
from governance.admission.governed import governed, one_run
from governance.admission.model import Owner, Request
from governance.quota.model import rises
from tests.webhooks.kubernetes.samples import (
    AROUND,
    Json,
    container,
    deployment,
    of_pods,
    pod,
    pod_spec,
    review,
    scale,
    thing,
)
from webhooks.kubernetes.kinds import Scalable
from webhooks.kubernetes.surroundings import Surroundings
from webhooks.kubernetes.translate import owner_of, request_of

REPLICA_SETS = "system:serviceaccount:kube-system:replicaset-controller"
AUTOSCALER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
OWNER: Json = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "viewer-1", "uid": "rs-1", "controller": True}


def asked(operation: str, after: Json | None, before: Json | None = None, **more: object) -> Request:
    return request_of(review(operation, after, before, **more), "north", AROUND)


def asked_of_a_pod(
    operation: str, after: Json, before: Json | None = None, *, around: Surroundings = AROUND, **more: object
) -> Request:
    return request_of(review(operation, after, before, **of_pods(**more)), "north", around)


def by(name: str) -> Json:
    return {"username": name, "groups": []}


def test_a_creation_says_everything_that_is_governed() -> None:
    found = asked("CREATE", deployment(3))
    assert (found.door, found.scope, found.kind, found.namespace, found.name) == (
        "kubernetes",
        "north",
        "apps/deployments",
        "radiology",
        "viewer",
    )
    assert (found.uid, found.actor, found.object_uid, found.resource_version) == ("review-1", "okafor", "uid-1", "")
    assert found.declaration_before is None
    assert found.changes == {
        "spec.replicas": 3,
        "spec.strategy.rollingUpdate.maxSurge": "25%",
        "spec.template.spec.containers[main].name": "main",
        "spec.template.spec.containers[main].image": "registry/viewer:1",
        "spec.template.spec.containers[main].resources.requests.cpu": "0.1",
    }


def test_an_update_says_what_differs_with_its_values_after() -> None:
    changed = deployment(3, template=pod_spec(containers=[container(image="registry/viewer:2", resources={})]))
    found = asked("UPDATE", changed, deployment(3, resourceVersion="7"))
    assert found.resource_version == "7"
    assert found.changes == {
        "spec.template.spec.containers[main].image": "registry/viewer:2",
        "spec.template.spec.containers[main].resources.requests.cpu": None,
    }
    assert found.changes_before == {
        "spec.template.spec.containers[main].image": "registry/viewer:1",
        "spec.template.spec.containers[main].resources.requests.cpu": "0.1",
    }


def test_a_restart_surges_though_what_runs_is_the_same() -> None:
    restarted = deployment(4)
    restarted["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    found = asked("UPDATE", restarted, deployment(4))
    assert found.declaration is not None
    assert found.declaration_before is not None
    assert (found.declaration.rolling, found.changes) == (True, {})
    assert rises(found.declaration_before, found.declaration)
    assert governed(found)


def test_a_scale_speaks_with_the_path_of_what_it_scales() -> None:
    found = asked("UPDATE", scale(7), scale(0), subResource="scale")
    assert (found.kind, found.subresource, found.object_uid) == ("apps/deployments", "scale", "uid-1")
    assert (found.scale_from, found.scale_to, found.changes) == (0, 7, {"spec.replicas": 7})
    assert found.changes_before == {"spec.replicas": 0}
    assert (found.declaration, found.resource_version) == (None, "7")


def test_a_scale_of_a_kind_of_ones_own_speaks_with_its_path() -> None:
    rollout = Scalable("argoproj.io/rollouts", "Rollout", replicas="spec.count")
    around = replace(AROUND, scalables={rollout.kind: rollout})
    resource = {"group": "argoproj.io", "version": "v1", "resource": "rollouts"}
    found = request_of(review("UPDATE", scale(7), scale(1), subResource="scale", resource=resource), "north", around)
    assert found.changes == {"spec.count": 7}


def test_a_scale_a_patch_and_an_apply_agree_whoever_asks_and_however_often() -> None:
    annotated = deployment(7, labels={"team": "a"}, annotations={"note": "x"}, resourceVersion="8", generation=2)
    requests = [
        asked("UPDATE", scale(7), scale(2), subResource="scale", uid="one"),
        asked("UPDATE", deployment(7, resourceVersion="8", generation=2), deployment(2), uid="two"),
        asked("UPDATE", annotated, deployment(5, resourceVersion="6"), userInfo=by("lindqvist"), dryRun=True),
    ]
    known = requests[1].declaration
    assert known is not None
    after = footprint_of(known)
    assert len({digest_of(one, known.template, after, "p", "production") for one in requests}) == 1
    assert len({subject_of(one, known.template, "p", "production") for one in requests}) == 1


def test_a_generated_name_gives_way_to_its_prefix() -> None:
    one, two = (
        asked("CREATE", deployment(name=name, generateName="viewer-"), name=name) for name in ("viewer-a", "viewer-b")
    )
    assert (one.name, one.name_prefix) == ("viewer-a", "viewer-")
    assert one.declaration is not None
    after = footprint_of(one.declaration)
    assert digest_of(one, "t", after, "p", "e") == digest_of(two, "t", after, "p", "e")
    assert asked("UPDATE", deployment(generateName="viewer-"), deployment()).name_prefix == ""


def test_the_owner_is_the_controller() -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c-1"}
    assert owner_of(pod(ownerReferences=[other, OWNER])) == Owner("apps/replicasets", "viewer-1", "rs-1")
    assert owner_of(pod(ownerReferences=[other])) is None
    assert owner_of(pod()) is None


def test_kube_systems_controllers_are_known_and_the_autoscaler_is_none_of_them() -> None:
    made = pod(ownerReferences=[OWNER])
    assert asked_of_a_pod("CREATE", made, userInfo=by(REPLICA_SETS)).controller_made
    assert not asked_of_a_pod("CREATE", made).controller_made
    assert not asked_of_a_pod(
        "CREATE", made, userInfo=by("system:serviceaccount:team:replicaset-controller")
    ).controller_made
    scaled = asked("UPDATE", scale(7), scale(2), subResource="scale", userInfo=by(AUTOSCALER))
    assert not scaled.controller_made
    assert governed(scaled)


class TestGoverned:
    @pytest.mark.parametrize(
        "found",
        [
            asked("DELETE", None, deployment()),
            asked("UPDATE", deployment(2), deployment(3)),
            asked("UPDATE", deployment(2, labels={"a": "b"}), deployment(2)),
            asked("UPDATE", deployment(2, status={"observedGeneration": 3}, generation=3), deployment(2)),
            asked("UPDATE", scale(2), scale(2), subResource="scale"),
            asked("UPDATE", scale(0), scale(2), subResource="scale"),
            asked("CREATE", thing("ConfigMap", {}), resource={"group": "", "resource": "configmaps"}),
        ],
    )
    def test_what_takes_no_more_and_changes_nothing_that_runs_is_not(self, found: Request) -> None:
        assert not governed(found)

    @pytest.mark.parametrize(
        "found",
        [
            asked("CREATE", deployment(0)),
            asked("UPDATE", deployment(3), deployment(2)),
            asked("UPDATE", scale(3), scale(2), subResource="scale"),
            asked("UPDATE", deployment(1, template=pod_spec(nodeSelector={"a": "b"})), deployment(3)),
            asked_of_a_pod("CREATE", pod()),
        ],
    )
    def test_what_takes_more_or_changes_what_runs_is(self, found: Request) -> None:
        assert governed(found)

    def test_a_larger_run_of_a_cron_job_is(self) -> None:
        def nightly(pods: int) -> Json:
            job = {"parallelism": pods, "template": {"spec": pod_spec()}}
            return thing("CronJob", {"jobTemplate": {"spec": job}})

        resource = {"group": "batch", "version": "v1", "resource": "cronjobs"}
        assert governed(asked("UPDATE", nightly(3), nightly(2), resource=resource))
        assert not governed(asked("UPDATE", nightly(2), nightly(3), resource=resource))
        assert one_run(asked("CREATE", nightly(3), resource=resource).declaration)["requests.cpu"] == 300
        assert not one_run(asked("UPDATE", deployment(3), deployment(2)).declaration)
        assert not one_run(None)

    def test_a_larger_maximum_or_another_target_of_an_autoscaler_is(self) -> None:
        def scaler(maximum: int, name: str = "viewer", **more: object) -> Json:
            target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
            return thing("HorizontalPodAutoscaler", {"maxReplicas": maximum, "scaleTargetRef": target, **more})

        resource = {"group": "autoscaling", "version": "v2", "resource": "horizontalpodautoscalers"}
        for after, is_governed in (
            (scaler(4), True),
            (scaler(3, "store"), True),
            (scaler(2), False),
            (scaler(3, minReplicas=2), False),
        ):
            assert governed(asked("UPDATE", after, scaler(3), resource=resource)) is is_governed


class TestAPodThatLeavesItsOwner:
    BEFORE = pod(ownerReferences=[OWNER], labels={"app": "viewer", "pod-template-hash": "1", "role": "replica"})

    def relabelled(self, **labels: str) -> Json:
        changed = {**self.BEFORE["metadata"]["labels"], **labels}
        return pod(ownerReferences=[OWNER], labels=changed)

    def left(self, after: Json, *, actor: str = "okafor", selector: Json | None = None) -> bool:
        around = replace(AROUND, selectors={"rs-1": selector} if selector else {})
        found = asked_of_a_pod("UPDATE", after, self.BEFORE, around=around, userInfo=by(actor))
        assert found.declaration is not None
        assert governed(found) is (found.declaration_before is None)
        return found.declaration_before is None

    def test_is_charged_as_a_bare_pod(self) -> None:
        assert self.left(pod(labels=self.BEFORE["metadata"]["labels"]))
        assert self.left(pod(ownerReferences=[{**OWNER, "uid": "rs-2"}], labels=self.BEFORE["metadata"]["labels"]))
        assert self.left(self.relabelled(app="mine"), selector={"matchLabels": {"app": "viewer"}})
        assert self.left(self.relabelled(app="mine"))
        assert self.left(self.relabelled(**{"pod-template-hash": "2"}), actor="system:serviceaccount:team:operator")

    def test_is_not_charged_when_it_stays(self) -> None:
        assert not self.left(self.BEFORE)
        assert not self.left(self.relabelled(role="leader"), selector={"matchLabels": {"app": "viewer"}})
        assert not self.left(self.relabelled(role="leader"), actor="system:serviceaccount:team:failover")
        assert not self.left(self.relabelled(added="x"))

    def test_is_not_charged_when_its_controller_lets_it_go(self) -> None:
        for actor in (REPLICA_SETS, "system:serviceaccount:kube-system:generic-garbage-collector"):
            assert not self.left(pod(labels=self.BEFORE["metadata"]["labels"]), actor=actor)


def test_no_secret_of_an_object_enters_a_request() -> None:
    hidden = container(env=[{"name": "TOKEN", "value": "hush"}], command=["hush"], args=["hush"])
    volumes = [{"name": "v", "secret": {"secretName": "hush"}}]
    before = deployment(1, annotations={"kubectl.kubernetes.io/last-applied-configuration": "hush"})
    spec = {"containers": [hidden], "volumes": volumes}
    for found in (
        asked("CREATE", deployment(1, template=spec)),
        asked("UPDATE", deployment(2, template=spec), before),
        asked_of_a_pod("CREATE", thing("Pod", spec, metadata={"annotations": {"a": "hush"}, "labels": {"b": "hush"}})),
    ):
        assert "hush" not in repr(found)
