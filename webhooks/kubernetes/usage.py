"""What a pod, a claim, a service or a device claim takes: Kubernetes' own quota evaluators, line by line.

Source: k8s.io/kubernetes `pkg/quota/v1/evaluator/core` and k8s.io/component-helpers `resource/helpers.go` (1.37),
which also stand as the oracle in the tests. Differences by intent: of two names for one resource only `requests.*` is
kept, and amounts are in the ledger's units, rounded up once, after the sum.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal

from governance.errors import BadInput
from governance.units import ResourceList, in_units
from webhooks.read import Object, Quantities, at, flag, items, optional_whole, quantities, section, text

DEVICES_ALL = 32  # resource/v1 AllocationResultsMaxSize: what `allocationMode: All` may take at most
_DEVICE_CLASS = "deviceclass.resource.kubernetes.io/"
_DEVICES = ".deviceclass.resource.k8s.io/devices"
_QUALIFIED = re.compile(
    r"(?=.{1,253}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
    r"/(?=.{1,63}\Z)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?",
    re.ASCII,
)

_EXACT = Context(prec=1200)  # room for sums of whatever `read.quantity` gives

_Pick = Callable[[Object, Object | None], Quantities]


def pod_usage(pod: Object, now: datetime) -> ResourceList:
    """What a pod takes, object counts left out (`PodUsageFunc`). Nothing once it has ended or is stuck in deletion.

    Raises:
        BadInput: a field has the wrong type or a quantity is out of range; names it.
    """
    if _has_ended(pod, now):
        return ResourceList()
    charged: dict[str, Decimal] = {"pods": Decimal(1)}
    for name, value in pod_requests(pod).items():
        if name in {"cpu", "memory", "ephemeral-storage"} or name.startswith("hugepages-") or _is_extended(name):
            charged[f"requests.{name}"] = value
    for name, value in pod_limits(pod).items():
        if name in {"cpu", "memory", "ephemeral-storage"}:
            charged[f"limits.{name}"] = value
    return _in_units(charged)


def claim_usage(claim: Object) -> ResourceList:
    """What a PersistentVolumeClaim takes, in all and of its storage class, object counts left out."""
    charged: dict[str, Decimal] = {"persistentvolumeclaims": Decimal(1)}
    storage = quantities(claim, "spec.resources.requests").get("storage")
    if storage is not None:  # a shrunken request counts what is still allocated (RecoverVolumeExpansionFailure)
        charged["requests.storage"] = max(
            storage, quantities(claim, "status.allocatedResources").get("storage", storage)
        )
    storage_class = storage_class_of(claim)
    if storage_class:
        charged |= {f"{storage_class}.storageclass.storage.k8s.io/{name}": value for name, value in charged.items()}
    return _in_units(charged)


def storage_class_of(claim: Object) -> str | None:
    """The claim's storage class, the older annotation first; None where it names none."""
    annotations = section(claim, "metadata.annotations")
    older = annotations.get("volume.beta.kubernetes.io/storage-class")
    if isinstance(older, str):
        return older
    return text(claim, "spec.storageClassName") if at(claim, "spec.storageClassName") is not None else None


def service_usage(service: Object) -> ResourceList:
    """What a Service takes: itself, a load balancer, node ports. Object counts left out."""
    ports = items(service, "spec.ports")
    kind = text(service, "spec.type")
    balanced = kind == "LoadBalancer"
    node_ports = len(ports) if kind in {"NodePort", "LoadBalancer"} else 0
    if balanced and not flag(service, "spec.allocateLoadBalancerNodePorts", default=True):
        node_ports = sum(1 for port in ports if optional_whole(port, "nodePort"))
    return ResourceList(
        {"services": 1, "services.loadbalancers": 1 if balanced else 0, "services.nodeports": node_ports}
    )


def device_usage(claim: Object) -> ResourceList:
    """Devices of a ResourceClaim by device class, the worst case of its alternatives. Object counts left out.

    Each class also counts under the name by which a pod may ask for it as an extended resource.
    A claim that the scheduler made for a pod's extended resources repeats what the pod's own requests already charge:
    it stands below the pod in the ledger, where the larger of the two counts.
    """
    charged: dict[str, int] = {}
    for request in items(claim, "spec.devices.requests"):
        worst: dict[str, int] = {}
        exact = section(request, "exactly")
        for one in items(request, "firstAvailable") or ([exact] if exact else []):
            name = text(one, "deviceClassName") + _DEVICES
            worst[name] = max(worst.get(name, 0), _device_count(one))
        for name, count in worst.items():
            charged[name] = charged.get(name, 0) + count
    implicit = {f"requests.{_DEVICE_CLASS}{name.removesuffix(_DEVICES)}": count for name, count in charged.items()}
    return ResourceList(charged | implicit)


def pod_requests(pod: Object) -> Quantities:
    """Effective requests: containers, init containers, sidecars, status of a resize, pod-level resources, overhead."""
    total = _largest(_by_containers(pod, pick) for pick in _request_picks(pod))
    for name, value in quantities(pod, "spec.resources.requests").items():
        if is_pod_level(name):
            total[name] = value
    _add(total, quantities(pod, "spec.overhead"))
    return total


def pod_limits(pod: Object) -> Quantities:
    """Effective limits, likewise; overhead is added to what has a limit."""
    total = _largest(_by_containers(pod, pick) for pick in _limit_picks(pod))
    for name, value in quantities(pod, "spec.resources.limits").items():
        if is_pod_level(name):
            total[name] = value
    for name, value in quantities(pod, "spec.overhead").items():
        if total.get(name):
            total[name] = _EXACT.add(total[name], value)
    return total


def container_requests(pod: Object) -> Quantities:
    """Requests of the containers as they are specified, without status, pod level and overhead."""
    return _by_containers(pod, _specified("requests"))


def container_limits(pod: Object) -> Quantities:
    """Limits of the containers, likewise."""
    return _by_containers(pod, _specified("limits"))


def is_pod_level(name: str) -> bool:
    """Whether the resource may be set for a pod as a whole (`IsSupportedPodLevelResource`)."""
    return name in {"cpu", "memory"} or name.startswith("hugepages-")


def _has_ended(pod: Object, now: datetime) -> bool:
    if text(pod, "status.phase") in {"Failed", "Succeeded"}:
        return True
    deleted = text(pod, "metadata.deletionTimestamp")
    grace_s = optional_whole(pod, "metadata.deletionGracePeriodSeconds")
    if not deleted or grace_s is None:
        return False
    return now > _instant(deleted, "metadata.deletionTimestamp") + timedelta(seconds=grace_s)


def _instant(source: str, field: str) -> datetime:
    try:
        instant = datetime.fromisoformat(source)
    except ValueError:
        raise BadInput(f"{source[:40]!r} is not a time.", field=field, remedy="Correct the object.") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _is_extended(name: str) -> bool:
    # schedutil.IsDRAExtendedResourceName: qualified, outside *kubernetes.io/, or an implicit device class
    if name.startswith(_DEVICE_CLASS):
        return True
    native = "/" not in name or "kubernetes.io/" in name
    return not native and not name.startswith("requests.") and bool(_QUALIFIED.fullmatch(f"requests.{name}"))


def _device_count(request: Object) -> int:
    mode = text(request, "allocationMode")
    if mode == "All":
        return DEVICES_ALL
    return optional_whole(request, "count") or 0 if mode == "ExactCount" else 0


def _resize_is_infeasible(pod: Object) -> bool:
    for condition in items(pod, "status.conditions"):
        if text(condition, "type") == "PodResizePending":
            return text(condition, "reason") == "Infeasible"
    return False


def _request_picks(pod: Object) -> tuple[_Pick, ...]:
    if not pod.get("status"):
        return (_specified("requests"),)
    infeasible = _resize_is_infeasible(pod)

    def otherwise(container: Object) -> Quantities:
        return {} if infeasible else quantities(container, "resources.requests")

    def allocated(container: Object, status: Object | None) -> Quantities:
        if status is not None and at(status, "allocatedResources") is not None:
            return quantities(status, "allocatedResources")
        return otherwise(container)

    def actuated(container: Object, status: Object | None) -> Quantities:
        if status is not None and at(status, "resources.requests") is not None:
            return quantities(status, "resources.requests")
        return allocated(container, status)

    return (allocated, actuated) if infeasible else (_specified("requests"), allocated, actuated)


def _limit_picks(pod: Object) -> tuple[_Pick, ...]:
    if not pod.get("status"):
        return (_specified("limits"),)
    infeasible = _resize_is_infeasible(pod)

    def actuated(container: Object, status: Object | None) -> Quantities:
        if status is not None and at(status, "resources.limits") is not None:
            return quantities(status, "resources.limits")
        return {} if infeasible else quantities(container, "resources.limits")

    return (actuated,) if infeasible else (_specified("limits"), actuated)


def _specified(which: str) -> _Pick:
    return lambda container, _status: quantities(container, f"resources.{which}")


def _by_containers(pod: Object, pick: _Pick) -> Quantities:
    # Containers run together. An init container runs beside the sidecars (restartable init containers) before it.
    statuses = _statuses(pod)
    total: Quantities = {}
    for container in items(pod, "spec.containers"):
        _add(total, pick(container, statuses.get(text(container, "name"))))
    sidecars: Quantities = {}
    starting: Quantities = {}
    for container in items(pod, "spec.initContainers"):
        own = pick(container, statuses.get(text(container, "name")))
        if text(container, "restartPolicy") == "Always":
            _add(total, own)
            _add(sidecars, own)
        else:
            _add(own, sidecars)
            _raise_to(starting, own)
    _raise_to(total, starting)
    return total


def _statuses(pod: Object) -> dict[str, Object]:
    found: dict[str, Object] = {}
    for one in (*items(pod, "status.containerStatuses"), *items(pod, "status.initContainerStatuses")):
        found.setdefault(text(one, "name"), one)
    return found


def _add(total: Quantities, more: Quantities) -> None:
    for name, value in more.items():
        total[name] = _EXACT.add(total.get(name, Decimal(0)), value)


def _raise_to(total: Quantities, other: Quantities) -> None:
    for name, value in other.items():
        if name not in total or value > total[name]:
            total[name] = value


def _largest(lists: Iterable[Quantities]) -> Quantities:
    total: Quantities = {}
    for one in lists:
        _raise_to(total, one)
    return total


def _in_units(charged: Quantities) -> ResourceList:
    return ResourceList({name: in_units(name, value) for name, value in charged.items()})
