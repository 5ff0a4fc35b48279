"""Hypothesis strategies for objects as the API server would accept them, rich in what changes their footprint."""

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

_CPU = st.one_of(
    st.integers(0, 64).map(str),
    st.integers(0, 9999).map(lambda number: f"{number}m"),
    st.integers(0, 9_999_999).map(lambda number: f"{number}u"),
    st.integers(0, 9_999_999_999).map(lambda number: f"{number}n"),
    st.decimals(0, 32, places=3).map(str),
    st.integers(0, 20).map(lambda number: f"{number}e-1"),
    st.integers(0, 8),
)
_BYTES = st.one_of(
    st.integers(0, 2**40).map(str),
    st.tuples(st.integers(0, 4096), st.sampled_from(["Ki", "Mi", "Gi", "Ti", "k", "M", "G", "T", "", "m"])).map(
        lambda pair: f"{pair[0]}{pair[1]}"
    ),
    st.tuples(st.decimals(0, 512, places=2), st.sampled_from(["Ki", "Mi", "Gi", "M", "G", ""])).map(
        lambda pair: f"{pair[0]}{pair[1]}"
    ),
    st.integers(1, 9).map(lambda number: f"{number}e9"),
    st.integers(1, 9).map(lambda number: f"{number}E3"),
)
_COUNT = st.integers(0, 16).map(str)
_PAGES = st.integers(0, 64).map(lambda number: f"{number * 2}Mi")

_NAMED = {
    "cpu": _CPU,
    "memory": _BYTES,
    "ephemeral-storage": _BYTES,
    "hugepages-2Mi": _PAGES,
    "hugepages-1Gi": _PAGES,
    "nvidia.com/gpu": _COUNT,
    "example.org/Big_fpga.v2": _COUNT,
    "gpu.resource.kubernetes.io/thing": _COUNT,  # inside *kubernetes.io/: native, not an extended resource
    "kubernetes.io/batteries": _COUNT,
    "deviceclass.resource.kubernetes.io/scanner": _COUNT,
    "requests.example.org/odd": _COUNT,
    "Bad.Domain/x": _COUNT,
    "example.org/-": _COUNT,
    "a/b/c": _COUNT,
}
_POD_LEVEL = {name: _NAMED[name] for name in ("cpu", "memory", "hugepages-2Mi", "ephemeral-storage")}


def _some(of: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=of)


def _maybe(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=members)


_LIST = _some(_NAMED)
_RESOURCES = _maybe(requests=_LIST, limits=_LIST)


def _containers(prefix: str, least: int, most: int) -> st.SearchStrategy[list[Json]]:
    restart = {"restartPolicy": st.sampled_from(["Always", "Never"])} if prefix == "init" else {}
    one = st.fixed_dictionaries(
        {"image": st.sampled_from(["registry/a:1", "registry/b@sha256:0"])},
        optional={"resources": _RESOURCES, **restart},
    )
    return st.lists(one, min_size=least, max_size=most).map(
        lambda members: [{"name": f"{prefix}-{place}", **member} for place, member in enumerate(members)]
    )


SPECS = st.fixed_dictionaries(
    {"containers": _containers("main", 1, 3)},
    optional={
        "initContainers": _containers("init", 0, 3),
        "overhead": _some({name: _NAMED[name] for name in ("cpu", "memory", "nvidia.com/gpu")}),
        "resources": _maybe(requests=_some(_POD_LEVEL), limits=_some(_POD_LEVEL)),
    },
)

_STATUSES = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["main-0", "main-1", "init-0", "init-1", "gone"])},
        optional={"allocatedResources": _LIST, "resources": _maybe(requests=_LIST, limits=_LIST)},
    ),
    max_size=3,
)
_CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["PodResizePending", "Ready"]),
            "status": st.just("True"),
            "reason": st.sampled_from(["Infeasible", "Deferred"]),
        }
    ),
    max_size=2,
)
_POD_STATUS = _maybe(
    phase=st.sampled_from(["Pending", "Running", "Running", "Succeeded", "Failed", "Unknown"]),
    containerStatuses=_STATUSES,
    initContainerStatuses=_STATUSES,
    conditions=_CONDITIONS,
)
_DELETION: st.SearchStrategy[Json] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {
            "deletionTimestamp": st.sampled_from(["2001-02-03T04:05:06Z", "2199-01-01T00:00:00Z"]),
        },
        optional={"deletionGracePeriodSeconds": st.sampled_from([0, 30, 3600])},
    ),
)

PODS = st.builds(
    lambda spec, status, deletion: {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": "radiology", **deletion},
        "spec": spec,
        "status": status,
    },
    SPECS,
    _POD_STATUS,
    _DELETION,
)

_CLASSES = st.sampled_from(["", "gold", "bronze.example"])
CLAIMS = st.builds(
    lambda annotations, spec, status: {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "radiology", "annotations": annotations},
        "spec": spec,
        "status": status,
    },
    st.fixed_dictionaries({}, optional={"volume.beta.kubernetes.io/storage-class": _CLASSES}),
    _maybe(storageClassName=_CLASSES, resources=_maybe(requests=_some({"storage": _BYTES}))),
    _maybe(allocatedResources=_some({"storage": _BYTES})),
)

SERVICES = st.builds(
    lambda spec: {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front", "namespace": "radiology"},
        "spec": spec,
    },
    _maybe(
        type=st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer", "ExternalName"]),
        allocateLoadBalancerNodePorts=st.booleans(),
        ports=st.lists(_maybe(port=st.integers(1, 65535), nodePort=st.integers(0, 32767)), max_size=4),
    ),
)

_DEVICES = st.fixed_dictionaries(
    {"deviceClassName": st.sampled_from(["scanner", "gpu"])},
    optional={
        "allocationMode": st.sampled_from(["ExactCount", "All", "Later"]),
        "count": st.integers(0, 40),
    },
)
_DEVICE_REQUESTS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"exactly": _DEVICES}),
        st.fixed_dictionaries({"firstAvailable": st.lists(_DEVICES, min_size=1, max_size=3)}),
        st.just({}),
    ),
    max_size=3,
)
DEVICE_CLAIMS = _DEVICE_REQUESTS.map(
    lambda requests: {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "devices", "namespace": "radiology"},
        "spec": {"devices": {"requests": [{"name": f"request-{place}", **one} for place, one in enumerate(requests)]}},
    }
)
