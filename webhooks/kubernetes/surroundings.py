"""What a footprint depends on beside the object itself. The watch keeps it; everything here is a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from webhooks.kubernetes.kinds import Scalable
from webhooks.read import Object

_NONE: Mapping[str, Object] = {}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The cluster around an object, as last seen.

    now: pods that are stuck in deletion longer than their grace period take nothing.
    missing: what of all this is not known yet; nothing that takes capacity is admitted meanwhile.
    nodes: the Node objects.
    limit_ranges: the LimitRange objects of a namespace.
    overheads: `overhead.podFixed` by RuntimeClass name.
    claim_templates: the ResourceClaimTemplate objects by namespace/name.
    storage_class: the default StorageClass's name, for claim templates that name none; empty: there is none.
    selectors: label selectors of the objects that own pods, by their uid.
    scalables: kinds of one's own, by group/resource.
    """

    now: datetime
    missing: Sequence[str] = ()
    nodes: Sequence[Object] = ()
    limit_ranges: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    overheads: Mapping[str, Object] = field(default_factory=lambda: _NONE)
    claim_templates: Mapping[str, Object] = field(default_factory=lambda: _NONE)
    storage_class: str = ""
    selectors: Mapping[str, Object] = field(default_factory=lambda: _NONE)
    scalables: Mapping[str, Scalable] = field(default_factory=dict)
