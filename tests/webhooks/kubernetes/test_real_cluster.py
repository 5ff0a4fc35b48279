"""The registration on a real API server: what passes while nobody answers, what does not, and what reviews say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from governance.admission.digest import digest_of, footprint_of
from governance.admission.governed import governed
from governance.admission.model import Request
from governance.db.types import new_id
from tests.parts.cluster import Cluster, Json, KubectlError
from tests.parts.process import free_port, wait_until
from tests.webhooks.kubernetes.door import PROBE, Door, opened
from webhooks.kubernetes.footprint import declaration_of
from webhooks.kubernetes.install import Installation, manifests, render
from webhooks.kubernetes.review import deny
from webhooks.kubernetes.surroundings import Surroundings
from webhooks.kubernetes.translate import request_of

pytestmark = pytest.mark.real

REFUSED = 'webhook "admission.governance.io"'  # nobody answered, or a denial; an error in a condition reads otherwise
ACCOUNT = "system:serviceaccount:governance:governance"
AUTOSCALER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
CONTAINER: Json = {
    "name": "main",
    "image": "registry/viewer:1",
    "resources": {"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "100m"}},
}


@pytest.fixture
def namespace(kubernetes: Cluster) -> Iterator[str]:
    name = f"test-{new_id().hex[-12:]}"
    kubernetes.kubectl("create", "namespace", name)
    yield name
    kubernetes.kubectl("delete", "namespace", name, "--wait=false")


@contextmanager
def registered(kubernetes: Cluster, namespace: str, installation: Installation) -> Iterator[None]:
    """Register the webhook, as printed, but for one namespace, so that other tests are not asked about."""
    webhook = manifests(installation)[-1]
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    webhook["webhooks"][0]["namespaceSelector"] = selector
    webhook["metadata"]["name"] = namespace
    kubernetes.apply(webhook)
    try:
        wait_until(lambda: _is_asked(kubernetes, namespace), "the API server asks the webhook")
        yield
    finally:
        kubernetes.kubectl("delete", "validatingwebhookconfiguration", namespace)


def _is_asked(kubernetes: Cluster, namespace: str) -> bool:
    # Nobody answers, or the door refuses this one: a dry run leaves nothing behind until then.
    words = ("create", "service", "externalname", PROBE, "--external-name=x.example", "--dry-run=server")
    try:
        kubernetes.kubectl(*words, "-n", namespace)
    except KubectlError as error:
        return REFUSED in str(error)
    return False


def nobody() -> Installation:
    return Installation("north", f"https://127.0.0.1:{free_port()}", b"", timeout_s=1)


def workload(kind: str, name: str, namespace: str, spec: Json, api_version: str = "apps/v1") -> Json:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def template(name: str, **spec: object) -> Json:
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [CONTAINER], **spec}}


def replicated(name: str, replicas: int, **more: object) -> Json:
    return {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(name), **more}


def job_spec(**more: object) -> Json:
    return {"template": template("job", restartPolicy="Never"), **more}


def scaling(kind: str, name: str, maximum: int) -> Json:
    return {"maxReplicas": maximum, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name}}


@pytest.fixture
def furnished(kubernetes: Cluster, namespace: str) -> str:
    """A namespace with one object of each kind, which were admitted before."""
    claim: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    kubernetes.apply(
        workload("Deployment", "viewer", namespace, replicated("viewer", 3)),
        workload("StatefulSet", "store", namespace, replicated("store", 2, serviceName="store")),
        workload("ReplicationController", "old", namespace, {"replicas": 2, "template": template("old")}, "v1"),
        workload(
            "DaemonSet",
            "agent",
            namespace,
            {"selector": {"matchLabels": {"app": "agent"}}, "template": template("agent")},
        ),
        workload("Job", "import", namespace, job_spec(parallelism=2, completions=9, suspend=True), "batch/v1"),
        workload(
            "CronJob", "nightly", namespace, {"schedule": "0 3 * * *", "jobTemplate": {"spec": job_spec()}}, "batch/v1"
        ),
        workload("PersistentVolumeClaim", "images", namespace, claim, "v1"),
        workload(
            "Service",
            "front",
            namespace,
            {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"a": "b"}},
            "v1",
        ),
        workload("HorizontalPodAutoscaler", "store", namespace, scaling("StatefulSet", "store", 5), "autoscaling/v2"),
        workload("Pod", "bare", namespace, {"containers": [CONTAINER]}, "v1"),
        workload("Pod", "waiting", namespace, {"containers": [CONTAINER], "nodeSelector": {"no": "such"}}, "v1"),
    )
    wait_until(lambda: len(kubernetes.running_pods(namespace, "app=viewer")) == 3, "the viewer runs")
    wait_until(lambda: len(kubernetes.running_pods(namespace, "app=store")) == 2, "the store runs")
    return namespace


def _requesting(cpu: str) -> str:
    resized = {"name": "main", "resources": {"requests": {"cpu": cpu}}}
    return json.dumps({"spec": {"containers": [resized]}}, separators=(",", ":"))


PASSES = [
    "scale deployment viewer --replicas=2",
    "scale statefulset store --replicas=1",
    "scale rc old --replicas=1",
    "label deployment viewer owner=radiology",
    "annotate deployment viewer note=x",
    "annotate pod bare note=x",
    "annotate daemonset agent note=x",
    "annotate pvc images note=x",
    'patch deployment viewer --type=merge -p {"spec":{"replicas":1,"minReadySeconds":3}}',
    'patch statefulset store --type=merge -p {"spec":{"replicas":0}}',
    'patch rc old --type=merge -p {"spec":{"replicas":0}}',
    'patch job import --type=merge -p {"spec":{"parallelism":1}}',
    'patch cronjob nightly --type=merge -p {"spec":{"suspend":true}}',
    'patch service front --type=merge -p {"spec":{"selector":{"a":"c"}}}',
    'patch service front --type=merge -p {"spec":{"type":"ClusterIP"}}',
    f"patch pod waiting --subresource=resize -p {_requesting('50m')}",
    'patch hpa store --type=merge -p {"spec":{"maxReplicas":4}}',
    'patch hpa store --type=merge -p {"spec":{"minReplicas":2}}',
    "delete pod bare",
    "delete service front",
    "delete pvc images --wait=false",
    "delete cronjob nightly",
    "delete job import",
    "delete daemonset agent",
    "delete deployment viewer",
]
REFUSES = [
    "create deployment other --image=x",
    "run other --image=x",
    "create job other --image=x",
    "create cronjob other --image=x --schedule=@daily",
    "create job other --from=cronjob/nightly",
    "create service nodeport other --tcp=80",
    "scale deployment viewer --replicas=4",
    "scale statefulset store --replicas=3",
    "scale rc old --replicas=3",
    f"scale deployment viewer --replicas=4 --as={AUTOSCALER} --as-group=system:masters",
    "set image deployment/viewer main=registry/viewer:2",
    "set image daemonset/agent main=registry/viewer:2",
    "set image pod/bare main=registry/viewer:2",
    "rollout restart deployment viewer",
    "label pod bare app=viewer",
    'patch deployment viewer --type=merge -p {"spec":{"strategy":{"rollingUpdate":{"maxSurge":9}}}}',
    'patch job import --type=merge -p {"spec":{"suspend":false}}',
    'patch job import --type=merge -p {"spec":{"parallelism":3}}',
    'patch cronjob nightly --type=merge -p {"spec":{"jobTemplate":{"spec":{"parallelism":5}}}}',
    'patch service front --type=json -p [{"op":"add","path":"/spec/ports/-","value":{"port":81,"name":"b"}},'
    '{"op":"add","path":"/spec/ports/0/name","value":"a"}]',
    f"patch pod waiting --subresource=resize -p {_requesting('150m')}",
    'patch hpa store --type=merge -p {"spec":{"maxReplicas":6}}',
    'patch hpa store --type=merge -p {"spec":{"scaleTargetRef":{"name":"other"}}}',
]


def test_while_nobody_answers_what_takes_less_passes_and_what_takes_more_does_not(
    kubernetes: Cluster, furnished: str
) -> None:
    with registered(kubernetes, furnished, nobody()):
        for command in REFUSES:
            with pytest.raises(KubectlError, match=REFUSED):
                kubernetes.kubectl(*command.split(), "-n", furnished)
        autoscaler = workload(
            "HorizontalPodAutoscaler", "viewer", furnished, scaling("Deployment", "viewer", 9), "autoscaling/v2"
        )
        with pytest.raises(KubectlError, match=REFUSED):
            kubernetes.apply(autoscaler)
        for command in PASSES:
            kubernetes.kubectl(*command.split(), "-n", furnished)


def test_while_nobody_answers_a_lost_pod_is_replaced_unless_pods_are_strict(
    kubernetes: Cluster, furnished: str
) -> None:
    def is_replaced(lost: str) -> bool:
        names = [pod["metadata"]["name"] for pod in kubernetes.running_pods(furnished, "app=viewer")]
        return lost not in names and len(names) == 3

    def lose_one() -> str:
        lost = str(kubernetes.running_pods(furnished, "app=viewer")[0]["metadata"]["name"])
        kubernetes.kubectl("delete", "pod", lost, "-n", furnished, "--wait=false")
        return lost

    with registered(kubernetes, furnished, nobody()):
        lost = lose_one()
        wait_until(lambda: is_replaced(lost), "the pod is replaced")
        kubernetes.kubectl("delete", "statefulset", "store", "-n", furnished, "--cascade=orphan", "--timeout=30s")
        left = kubernetes.running_pods(furnished, "app=store")
        assert [pod["metadata"].get("ownerReferences") for pod in left] == [None, None]
    with registered(kubernetes, furnished, replace(nobody(), pods="strict")):
        lost = lose_one()
        wait_until(lambda: _replacement_is_refused(kubernetes, furnished), "the replacement is refused")
    wait_until(lambda: is_replaced(lost), "the pod is replaced once nobody has to be asked")


def _replacement_is_refused(kubernetes: Cluster, namespace: str) -> bool:
    events = kubernetes.get_all("events", namespace)
    return any(one["reason"] == "FailedCreate" and REFUSED in one["message"] for one in events)


def test_what_is_printed_applies_and_gives_the_right_to_watch_and_no_other(kubernetes: Cluster) -> None:
    printed = render(replace(nobody(), ca_bundle=b""))
    kubernetes.kubectl("apply", "--dry-run=server", "-f", "-", stdin=_without_namespaced(printed))
    kubernetes.apply(*(one for one in manifests(nobody()) if one["kind"].startswith(("Namespace", "ClusterRole"))))
    try:
        for resource in ("pods", "nodes", "deployments.apps", "resourceclaims.resource.k8s.io", "namespaces", "hpa"):
            assert _may(kubernetes, "watch", resource)
        for verb, resource in (
            ("create", "pods"),
            ("get", "secrets"),
            ("patch", "deployments.apps"),
            ("get", "configmaps"),
        ):
            assert not _may(kubernetes, verb, resource)
    finally:
        for kind in ("clusterrolebinding", "clusterrole", "namespace"):
            kubernetes.kubectl("delete", kind, "governance", "--wait=false")


def _without_namespaced(printed: str) -> str:
    # A server-side dry run does not make the namespace that the account would stand in.
    return "---\n".join(one for one in printed.split("---\n") if "kind: ServiceAccount\nmetadata" not in one)


def _may(kubernetes: Cluster, verb: str, resource: str) -> bool:
    try:
        return kubernetes.kubectl("auth", "can-i", verb, resource, "-A", f"--as={ACCOUNT}").strip() == "yes"
    except KubectlError:
        return False


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with opened(tmp_path) as opening:
        yield opening


def installed(door: Door) -> Installation:
    return Installation("north", door.url, door.ca_bundle, pods="strict", timeout_s=5)


def around(kubernetes: Cluster, namespace: str) -> Surroundings:
    nodes = json.loads(kubernetes.kubectl("get", "nodes", "-o", "json"))["items"]
    classes = json.loads(kubernetes.kubectl("get", "runtimeclasses", "-o", "json"))["items"]
    return Surroundings(
        now=datetime.now(UTC),
        nodes=nodes,
        limit_ranges={namespace: kubernetes.get_all("limitranges", namespace)},
        overheads={one["metadata"]["name"]: one["overhead"]["podFixed"] for one in classes if "overhead" in one},
    )


def test_a_scale_a_patch_and_an_apply_of_the_same_replicas_are_one_change(
    kubernetes: Cluster, namespace: str, door: Door
) -> None:
    viewer = workload("Deployment", "viewer", namespace, replicated("viewer", 1))
    kubernetes.apply(viewer)
    known = declaration_of(
        "apps/deployments", kubernetes.get("deployment", "viewer", namespace), around(kubernetes, namespace)
    )
    assert known is not None
    door.answer = lambda review: deny(review.uid, "asked")
    with registered(kubernetes, namespace, installed(door)):
        commands = (
            "scale deployment viewer --replicas=7",
            'patch deployment viewer --type=merge -p {"spec":{"replicas":7}}',
            'patch deployment viewer --subresource=scale --type=merge -p {"spec":{"replicas":7}}',
        )
        for command in commands:
            with pytest.raises(KubectlError, match="asked"):
                kubernetes.kubectl(*command.split(), "-n", namespace)
        with pytest.raises(KubectlError, match="asked"):
            kubernetes.apply(workload("Deployment", "viewer", namespace, replicated("viewer", 7)))
    requests = [request_of(one, "north", around(kubernetes, namespace)) for one in door.reviews]
    assert [one.subresource for one in requests] == ["scale", "", "scale", ""]
    assert all(governed(one) and one.changes == {"spec.replicas": 7} for one in requests)
    after = footprint_of(replace(known, replicas=7))
    assert len({digest_of(one, known.template, after, "project", "production") for one in requests}) == 1
    patched = requests[1].declaration
    assert patched is not None
    assert (patched.template, footprint_of(patched)) == (known.template, after)


def test_pods_that_controllers_make_have_the_template_and_take_what_was_foretold(
    kubernetes: Cluster, namespace: str, door: Door
) -> None:
    rich: Json = {
        "runtimeClassName": f"kata-{namespace}",
        "initContainers": [
            {
                "name": "proxy",
                "image": "registry/proxy:1",
                "restartPolicy": "Always",
                "resources": {"limits": {"cpu": "50m"}},
            },
            {"name": "fetch", "image": "registry/fetch:1"},
        ],
        "tolerations": [{"key": "scanner", "operator": "Exists"}],
        "securityContext": {"runAsNonRoot": True},
        "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "host", "hostPath": {"path": "/opt"}}],
    }
    pod_level: Json = {"resources": {"limits": {"cpu": "2", "memory": "1Gi"}}}
    kubernetes.apply(
        {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": f"kata-{namespace}"},
            "handler": "kata",
            "overhead": {"podFixed": {"cpu": "30m", "memory": "16Mi"}},
        },
        workload(
            "LimitRange",
            "defaults",
            namespace,
            {
                "limits": [
                    {"type": "Container", "default": {"memory": "256Mi", "cpu": "1"}, "defaultRequest": {"cpu": "20m"}}
                ]
            },
            "v1",
        ),
    )
    claims = [
        {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
    ]
    selector = {"matchLabels": {"app": "x"}}
    with registered(kubernetes, namespace, installed(door)):
        for name, spec in (("rich", rich), ("level", pod_level), ("plain", {})):
            made = template("x", **spec)
            kubernetes.apply(
                workload("Deployment", f"d-{name}", namespace, {"selector": selector, "template": made}),
                workload("DaemonSet", f"s-{name}", namespace, {"selector": selector, "template": made}),
                workload(
                    "StatefulSet",
                    f"t-{name}",
                    namespace,
                    {"selector": selector, "template": made, "serviceName": "x", "volumeClaimTemplates": claims},
                ),
                workload(
                    "Job",
                    f"j-{name}",
                    namespace,
                    {"template": template("x", **spec, restartPolicy="Never")},
                    "batch/v1",
                ),
            )
        wait_until(
            lambda: _owners(door) >= {f"{kind}-{name}" for kind in "dstj" for name in ("rich", "level", "plain")}, "all"
        )
    surroundings = around(kubernetes, namespace)
    requests = [request_of(one, "north", surroundings) for one in door.reviews]
    foretold = {one.name: one for one in requests if one.kind != "core/pods"}
    pods = [one for one in requests if one.kind == "core/pods"]
    assert len(pods) >= 12
    for pod in pods:
        root = foretold[_root(pod, foretold)]
        assert pod.controller_made
        assert pod.declaration is not None
        assert root.declaration is not None
        unit = {
            name: value
            for name, value in root.declaration.unit.items()
            if "storage" not in name and "claims" not in name
        }
        assert (pod.name, dict(pod.declaration.unit)) == (pod.name, unit)
        assert (pod.name, pod.declaration.template) == (pod.name, root.declaration.template)


def _root(pod: Request, foretold: dict[str, Request]) -> str:
    assert pod.owner is not None
    owner = foretold[pod.owner.name]
    return owner.owner.name if owner.owner else owner.name


def _owners(door: Door) -> set[str]:
    pods = door.sent(kind="core/pods", operation="CREATE")
    names = [one.object["metadata"]["ownerReferences"][0]["name"] for one in pods]
    return {name if name[0] != "d" else "-".join(name.split("-")[:2]) for name in names}
