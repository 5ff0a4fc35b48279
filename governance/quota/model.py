"""Need, level and tree arithmetic. Pure. LEDGER.md, "Kubernetes: the charge of a root" and "The tree"."""

from __future__ import annotations

from dataclasses import dataclass

from governance.units import EMPTY, ResourceList


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an object declares that it will take.

    value = fixed + (replicas + surge while rolling) * unit. Job: `replicas` is min(parallelism, remaining), 0 when
    suspended or finished. Pod, PVC, Service: replicas 1. StatefulSet: `unit` includes the claims.
    """

    kind: str  # group/resource
    replicas: int
    unit: ResourceList
    surge: int = 0  # extra replicas while rolling
    rolling: bool = False
    fixed: ResourceList = EMPTY  # taken once: count/deployments.apps, load balancers, a claim's storage
    template: str = ""  # hash of the template as it runs: images, resources, placement, security context
    images: tuple[str, ...] = ()
