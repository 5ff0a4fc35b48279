"""What a cluster needs to ask this service: the webhook's registration and the right to watch.

What the webhook is not called for, so that it goes on while this service is gone, stands in `conditions`. DELETE is not
registered at all. pods/ephemeralcontainers is: such a container takes nothing, yet it brings an image, which must have
passed its checkpoints. While this service is gone, people look into a broken workload by kubectl exec.

Two namespaces are left out. The service's own, for it could not come back if it had to be asked. And kube-system: a
cluster whose network or storage add-on is broken cannot run this service, and nobody could mend the add-on if this
service had to allow it; only cluster administrators write there, who could remove the webhook as well.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import yaml

from governance.errors import BadInput
from webhooks.kubernetes.conditions import conditions
from webhooks.kubernetes.kinds import Scalable

Json = dict[str, Any]

WEBHOOK = "admission.governance.io"
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_WATCHED: dict[str, tuple[str, ...]] = {
    "": (
        "limitranges",
        "namespaces",
        "nodes",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "services",
    ),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "node.k8s.io": ("runtimeclasses",),
    "resource.k8s.io": ("resourceclaims", "resourceclaimtemplates"),
    "storage.k8s.io": ("storageclasses",),
}


@dataclass(frozen=True, slots=True)
class Service:
    """Where the API server finds this service inside the cluster."""

    namespace: str
    name: str = "governance"
    port: int = 443


@dataclass(frozen=True, slots=True)
class Installation:
    """One cluster that asks.

    cluster: the name under which this service knows it.
    endpoint: a Service in the cluster, or the https URL of this service outside of it, without a path.
    ca_bundle: PEM certificates that the API server trusts for it.
    pods: lenient leaves the pods of admitted workloads out (they are watched); strict asks for each.
    timeout_s: the API server waits this long; the service's own deadline must be shorter.
    namespace: where the ServiceAccount that watches lives; never asked about.
    open_namespaces: others that are never asked about.
    scalables: kinds of one's own with a scale subresource.
    """

    cluster: str
    endpoint: Service | str
    ca_bundle: bytes
    pods: Literal["lenient", "strict"] = "lenient"
    timeout_s: int = 5
    namespace: str = "governance"
    open_namespaces: Sequence[str] = ("kube-system",)
    scalables: Sequence[Scalable] = ()


def review_path(cluster: str) -> str:
    """The path under which a cluster's reviews arrive."""
    return f"/kubernetes/{cluster}/admit"


def manifests(installation: Installation) -> list[Json]:
    """The objects to apply, in order. Raises BadInput when an address cannot be one."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": installation.namespace}},
        _named("v1", "ServiceAccount", {"namespace": installation.namespace}),
        {**_named("rbac.authorization.k8s.io/v1", "ClusterRole"), "rules": _rights(installation)},
        {
            **_named("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "governance"},
            "subjects": [{"kind": "ServiceAccount", "name": "governance", "namespace": installation.namespace}],
        },
        {
            **_named("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
            "webhooks": [_webhook(installation)],
        },
    ]


def render(installation: Installation) -> str:
    """The same as YAML documents for `kubectl apply -f -`."""
    # A copy without shared parts, or YAML would write anchors.
    plain = orjson.loads(orjson.dumps(manifests(installation)))
    return yaml.safe_dump_all(plain, sort_keys=False, allow_unicode=True, width=10_000)


def _named(api_version: str, kind: str, metadata: Json | None = None) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "governance", **(metadata or {})}}


def _rights(installation: Installation) -> list[Json]:
    watched = {group: list(resources) for group, resources in _WATCHED.items()}
    for one in installation.scalables:
        group, _, resource = one.kind.partition("/")
        watched.setdefault(group, []).append(resource)
    verbs = ["get", "list", "watch"]
    rules: list[Json] = [
        {"apiGroups": [group], "resources": resources, "verbs": verbs} for group, resources in watched.items()
    ]
    # Changes of webhook configurations are sent to no webhook, so its own must be watched.
    own = {"resources": ["validatingwebhookconfigurations"], "resourceNames": ["governance"], "verbs": verbs}
    return [*rules, {"apiGroups": ["admissionregistration.k8s.io"], **own}]


def _webhook(installation: Installation) -> Json:
    closed = sorted({installation.namespace, *installation.open_namespaces})
    return {
        "name": WEBHOOK,
        "admissionReviewVersions": ["v1"],
        "clientConfig": _client(installation),
        "failurePolicy": "Fail",
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": installation.timeout_s,
        "matchPolicy": "Equivalent",
        "namespaceSelector": {
            "matchExpressions": [{"key": _NAMESPACE_LABEL, "operator": "NotIn", "values": closed}],
        },
        "matchConditions": conditions(installation.pods, installation.scalables),
        "rules": _rules(installation.scalables),
    }


def _client(installation: Installation) -> Json:
    bundle = {"caBundle": base64.b64encode(installation.ca_bundle).decode("ascii")}
    path, endpoint = review_path(installation.cluster), installation.endpoint
    if isinstance(endpoint, Service):
        place = {"namespace": endpoint.namespace, "name": endpoint.name, "port": endpoint.port, "path": path}
        return {"service": place, **bundle}
    if not endpoint.startswith("https://") or "?" in endpoint or "#" in endpoint:
        raise BadInput(f"{endpoint!r} cannot be called.", field="url", remedy="Give an https URL without a query.")
    return {"url": endpoint.rstrip("/") + path, **bundle}


def _rules(scalables: Iterable[Scalable]) -> list[Json]:
    scaled = ["deployments/scale", "replicasets/scale", "statefulsets/scale"]
    both = ["CREATE", "UPDATE"]
    rules = [
        _rule("", ["pods", "replicationcontrollers", "persistentvolumeclaims", "services"], both),
        _rule("", ["pods/resize", "pods/ephemeralcontainers", "replicationcontrollers/scale"], ["UPDATE"]),
        _rule("apps", ["deployments", "replicasets", "statefulsets", "daemonsets"], both),
        _rule("apps", scaled, ["UPDATE"]),
        _rule("batch", ["jobs", "cronjobs"], both),
        _rule("autoscaling", ["horizontalpodautoscalers"], both, "v2"),
        _rule("resource.k8s.io", ["resourceclaims"], ["CREATE"]),
    ]
    for one in scalables:
        group, _, resource = one.kind.partition("/")
        rules.append(_rule(group, [resource], both, "*"))
        rules.append(_rule(group, [f"{resource}/scale"], ["UPDATE"], "*"))
    return rules


def _rule(group: str, resources: list[str], operations: list[str], version: str = "v1") -> Json:
    names = {"apiGroups": [group], "apiVersions": [version], "resources": resources}
    return {**names, "operations": operations, "scope": "Namespaced"}
