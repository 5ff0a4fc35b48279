"""Names of resources as Kubernetes' ResourceQuota writes them. A name that nothing is ever charged under is refused.

Source: Kubernetes documentation, "Resource Quotas"; `k8s.io/kubernetes/pkg/quota/v1/evaluator/core`.
"""

from __future__ import annotations

import difflib
import re

_ALIASES = {name: f"requests.{name}" for name in ("cpu", "memory", "ephemeral-storage")}
_NAMES = (
    *(f"{kind}.{name}" for kind in ("requests", "limits") for name in ("cpu", "memory", "ephemeral-storage")),
    "requests.storage",
    "pods",
    "persistentvolumeclaims",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "configmaps",
    "secrets",
    "replicationcontrollers",
    "resourcequotas",
    "resourceclaims",
    "vcpus",
    "credits",
)
_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"requests\.{_DOMAIN}/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?",  # extended resources
        r"requests\.hugepages-[0-9]+[KMGT]i",
        rf"count/[a-z0-9]+(\.{_DOMAIN})?",
        rf"{_DOMAIN}\.storageclass\.storage\.k8s\.io/(requests\.storage|persistentvolumeclaims)",
        rf"{_DOMAIN}\.deviceclass\.resource\.k8s\.io/devices",
    )
)
_LENGTH_MAX = 253


def canonical_resource(name: str) -> str:
    """`cpu`, `memory` and `ephemeral-storage` stand for `requests.*`, as in a ResourceQuota."""
    if name.startswith("hugepages-"):
        return f"requests.{name}"
    return _ALIASES.get(name, name)


def problem_of_resource(name: str) -> tuple[str, str] | None:
    """What is wrong with this name, and what to write instead; None when nothing is."""
    if name in _NAMES or (len(name) <= _LENGTH_MAX and any(pattern.fullmatch(name) for pattern in _PATTERNS)):
        return None
    if re.fullmatch(rf"{_DOMAIN}/[A-Za-z0-9._-]+", name):
        return f"{name!r} is not a resource that is charged.", f"Write requests.{name}."
    close = difflib.get_close_matches(name, _NAMES, 1)
    remedy = f"Did you mean {close[0]}?" if close else "Write it as in a Kubernetes ResourceQuota."
    return f"{name!r} is not a resource that is charged.", remedy
