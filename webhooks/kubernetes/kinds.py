"""Names of kinds. One form everywhere: group/resource, the core group written as core (`apps/deployments`)."""

from __future__ import annotations

from dataclasses import dataclass

_RESOURCES = {
    "apps": ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"),
    "batch": ("Job", "CronJob"),
    "core": ("Pod", "ReplicationController", "PersistentVolumeClaim", "Service"),
    "autoscaling": ("HorizontalPodAutoscaler",),
    "resource.k8s.io": ("ResourceClaim",),
}
_BY_MANIFEST = {
    (group, manifest): f"{group}/{manifest.lower()}s"
    for group, manifests in _RESOURCES.items()
    for manifest in manifests
}


@dataclass(frozen=True, slots=True)
class Scalable:
    """A kind of one's own with a scale subresource, by configuration. Paths are dotted, as in its CRD.

    `manifest` is the kind as it stands in manifests and in ownerReferences (`Rollout`).
    """

    kind: str  # group/resource
    manifest: str
    replicas: str = "spec.replicas"
    template: str = "spec.template"


def kind_of(group: str, resource: str) -> str:
    """`apps/deployments`, `core/pods`."""
    return f"{group or 'core'}/{resource}"


def kind_of_manifest(api_version: str, manifest: str) -> str:
    """From `apps/v1` and `Deployment`: group/resource where known, else group/Kind."""
    group, slash, _ = api_version.rpartition("/")
    group = group if slash else "core"
    return _BY_MANIFEST.get((group, manifest), f"{group}/{manifest}")


def count_name(kind: str) -> str:
    """The object count quota's name: `count/deployments.apps`, `count/pods` (apiserver `quota/v1/generic`,
    ObjectCountQuotaResourceNameFor)."""
    group, _, resource = kind.partition("/")
    return f"count/{resource}" if group == "core" else f"count/{resource}.{group}"


def canonical_resource(name: str) -> str:
    """The name under which a resource is charged. ResourceQuota knows some under two names (`cpu` is `requests.cpu`);
    the ledger knows the longer one alone."""
    if name in {"cpu", "memory", "ephemeral-storage"} or name.startswith("hugepages-"):
        return f"requests.{name}"
    return name
