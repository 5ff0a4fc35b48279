"""A pod template as it will run: with the defaults that the API server gives its pods, hashed, and what one pod takes.

Sources: k8s.io/kubernetes 1.37 `pkg/apis/core/v1/defaults.go` (limits default requests on pods only, never in a
template), `pkg/api/pod/util.go` DefaultPodLevelResources, `plugin/pkg/admission/limitranger` and `runtimeclass`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

from governance.admission.digest import canonical_json
from governance.units import ResourceList, sum_of
from webhooks.kubernetes.surroundings import Surroundings
from webhooks.kubernetes.usage import (
    claim_usage,
    container_limits,
    container_requests,
    device_usage,
    is_pod_level,
    pod_usage,
)
from webhooks.read import Object, Quantities, at, flag, items, quantities, section, text

_PLACEMENT = ("nodeSelector", "nodeName", "runtimeClassName", "topologySpreadConstraints")
_SHARED_WITH_HOST = ("hostNetwork", "hostPID", "hostIPC")
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
# Volumes that carry data of the namespace itself, or that controllers and the API server add to pods, stay out;
# whatever reaches the host, the network or a registry is part of what runs.
_OWN_VOLUMES = {"configMap", "secret", "emptyDir", "downwardAPI", "projected", "persistentVolumeClaim"}


def as_stored(spec: Object, namespace: str, around: Surroundings) -> dict[str, Any]:
    """A template's pod spec with the resources that the API server will store for its pods.

    Raises:
        BadInput: a field has the wrong type; names it.
    """
    stored = with_container_defaults(spec, around.limit_ranges.get(namespace, ()))
    runtime_class = text(spec, "runtimeClassName")
    if runtime_class in around.overheads:
        stored["overhead"] = dict(around.overheads[runtime_class])
    pod_level = _pod_level_defaults(stored)
    if pod_level:
        stored["resources"] = pod_level
    return stored


def with_container_defaults(spec: Object, limit_ranges: Sequence[Object] = ()) -> dict[str, Any]:
    """A pod spec whose containers request what they limit, and have the defaults of the namespace's LimitRanges."""
    defaults = _limit_range_defaults(limit_ranges)
    containers = {which: [_with_defaults(one, defaults) for one in items(spec, which)] for which in _CONTAINERS[:2]}
    return {**spec, **containers}


def unit_of(stored: Object, namespace: str, around: Surroundings) -> ResourceList:
    """What one pod of a stored spec takes, with what is made for it.

    `count/*` is left out: those add up over the objects that exist, outside of what a template foretells.
    """
    return pod_usage({"spec": stored}, around.now) + made_for(stored, namespace, around)


def made_for(stored: Object, namespace: str, around: Surroundings) -> ResourceList:
    """What the volume claims and device claims take that are made for one pod of a stored spec."""
    volumes = (
        claim_unit(section(one, "ephemeral.volumeClaimTemplate"), around)
        for one in items(stored, "volumes")
        if at(one, "ephemeral.volumeClaimTemplate") is not None
    )
    names = (text(one, "resourceClaimTemplateName") for one in items(stored, "resourceClaims"))
    templates = (around.claim_templates.get(f"{namespace}/{name}", {}) for name in names if name)
    devices = (device_usage(section(one, "spec")) for one in templates)
    return sum_of((*volumes, *devices))


def claim_unit(claim_template: Object, around: Surroundings) -> ResourceList:
    """What a claim made from a template takes; one that names no storage class gets the default one."""
    if at(claim_template, "spec.storageClassName") is None and around.storage_class:
        spec = {**section(claim_template, "spec"), "storageClassName": around.storage_class}
        return claim_usage({**claim_template, "spec": spec})
    return claim_usage(claim_template)


def images_of(spec: Object) -> tuple[str, ...]:
    """Every image that a pod of this spec runs or mounts, sorted, each once."""
    found = {text(one, "image") for which in _CONTAINERS for one in items(spec, which)}
    found |= {text(one, "image.reference") for one in items(spec, "volumes")}
    return tuple(sorted(found - {""}))


def running_view(stored: Object, *, controlled: bool = False) -> dict[str, Any]:
    """What of a stored spec is governed: images, resources, placement, security context, volumes that leave the pod.

    What the API server and the controllers add to every pod is left out, so that a template and its pods agree.
    Environment, command and arguments never enter: they may hold secrets.

    Args:
        stored: a pod spec, as `as_stored` gives it or as a pod has it.
        controlled: a pod with a controller; which node it is bound to is then the scheduler's choice, not a wish.
    """
    view: dict[str, Any] = {name: stored.get(name) for name in _PLACEMENT}
    for which in _CONTAINERS:
        view[which] = [_container_view(one) for one in items(stored, which)]
    view["containers"].sort(key=lambda one: one.get("name", ""))
    view["resources"] = _resources_view(stored)
    view["overhead"] = _canonical(quantities(stored, "overhead"))
    view["affinity"] = section(stored, "affinity")
    view["tolerations"] = [one for one in items(stored, "tolerations") if not _is_of_the_system(one)]
    view["schedulerName"] = text(stored, "schedulerName").removeprefix("default-scheduler")
    view["priorityClassName"] = text(stored, "priorityClassName")
    view["activeDeadlineSeconds"] = stored.get("activeDeadlineSeconds")
    view["securityContext"] = section(stored, "securityContext")
    view["resourceClaims"] = list(items(stored, "resourceClaims"))
    view["volumes"] = [one for one in items(stored, "volumes") if not one.keys() & _OWN_VOLUMES]
    view |= {name: True for name in _SHARED_WITH_HOST if flag(stored, name)}
    if controlled:
        view["nodeName"] = None
        view["affinity"] = _without_node_name(view["affinity"])
    pruned: dict[str, Any] = prune(view)
    return pruned


def template_hash(view: Mapping[str, Any]) -> str:
    """SHA-256, in hex, over the canonical JSON of a view."""
    return sha256(canonical_json(view)).hexdigest()


def prune(value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    """Without members that are null or empty; an absent field and an empty one run alike. A float becomes text."""
    if isinstance(value, Mapping):
        kept = {str(name): prune(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if one is not None and one != {} and one != [] and one != ""}
    if isinstance(value, list | tuple):
        return [prune(one) for one in value]
    return repr(value) if isinstance(value, float) else value


def plain_number(value: Decimal) -> str:
    """An exact number without exponent or trailing zeros: `1000m` and `1` are both 1."""
    if not value:
        return "0"
    return str(value) if value.adjusted() > 40 else f"{value.normalize():f}"


def _container_view(container: Object) -> dict[str, Any]:
    kept = ("name", "image", "securityContext", "restartPolicy", "volumeDevices")
    view: dict[str, Any] = {name: container.get(name) for name in kept}
    view["resources"] = _resources_view(container)
    return view


def _resources_view(source: Object) -> dict[str, Any]:
    view: dict[str, Any] = {
        which: _canonical(quantities(source, f"resources.{which}")) for which in ("requests", "limits")
    }
    view["claims"] = list(items(source, "resources.claims"))
    return view


def _canonical(amounts: Quantities) -> dict[str, str]:
    return {name: plain_number(value) for name, value in amounts.items()}


def _is_of_the_system(toleration: Object) -> bool:
    # Admission and the DaemonSet controller give these to pods (node.kubernetes.io/not-ready and its like).
    return text(toleration, "key").startswith("node.kubernetes.io/")


def _without_node_name(affinity: Object) -> dict[str, Any]:
    # The DaemonSet controller binds each pod to its node by a field term on metadata.name.
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    node_affinity = section(affinity, "nodeAffinity")
    terms = [
        {name: one for name, one in term.items() if name != "matchFields"}
        for term in items(node_affinity, f"{required}.nodeSelectorTerms")
    ]
    kept = {name: one for name, one in node_affinity.items() if name != required}
    if any(terms):
        kept[required] = {"nodeSelectorTerms": terms}
    return {**affinity, "nodeAffinity": kept}


def _with_defaults(container: Object, defaults: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    limits, requests = section(container, "resources.limits"), section(container, "resources.requests")
    resources = {
        **section(container, "resources"),
        "limits": {**defaults["limits"], **limits},
        "requests": {**defaults["requests"], **limits, **requests},
    }
    return {**container, "resources": resources}


def _limit_range_defaults(ranges: Sequence[Object]) -> dict[str, dict[str, Any]]:
    # Of several LimitRanges Kubernetes takes whichever it reads first; the larger default is the safe guess.
    exact: dict[str, Quantities] = {"limits": {}, "requests": {}}
    for limit in (one for each in ranges for one in items(each, "spec.limits") if text(one, "type") == "Container"):
        requests = quantities(limit, "default") | quantities(limit, "defaultRequest")
        for which, defaults in (("limits", quantities(limit, "default")), ("requests", requests)):
            for name, value in defaults.items():
                exact[which][name] = max(value, exact[which].get(name, value))
    return {which: _canonical(defaults) for which, defaults in exact.items()}


def _pod_level_defaults(spec: Object) -> dict[str, Any]:
    # Once a pod sets anything at pod level, the rest follows from its containers (PodLevelResourcesFixDefaulting).
    requests, limits = quantities(spec, "resources.requests"), quantities(spec, "resources.limits")
    if not requests and not limits:
        return {}
    pod = {"spec": spec}
    declared, bounds = container_requests(pod), container_limits(pod)
    for name, value in bounds.items():
        if name.startswith("hugepages-") and name not in requests:
            limits.setdefault(name, value)
    for name, value in declared.items():
        if name in {"cpu", "memory"}:
            requests.setdefault(name, value)
    for name, value in limits.items():
        if is_pod_level(name):
            requests.setdefault(name, value)
    for name in [one for one in requests if is_pod_level(one) and one not in limits]:
        if all(name in section(one, "resources.limits") for one in _all_containers(spec)):
            limits[name] = max(requests[name], bounds.get(name, Decimal(0)))
    return {**section(spec, "resources"), "requests": _canonical(requests), "limits": _canonical(limits)}


def _all_containers(spec: Object) -> list[Object]:
    return [*items(spec, "containers"), *items(spec, "initContainers")]
