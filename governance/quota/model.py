"""Need, level and tree arithmetic. Pure. LEDGER.md, "Kubernetes: the charge of a root" and "The tree"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from governance.units import EMPTY, ResourceList, largest_of

LIVE = ("held", "confirmed")  # the states of a charge that stands in usage
POD = "core/pods"
CLAIM = "core/persistentvolumeclaims"
STATEFUL_SET = "apps/statefulsets"
AUTOSCALER = "autoscaling/horizontalpodautoscalers"

_OF_A_SET = re.compile(r"(.+)-(?:0|[1-9][0-9]*)", re.ASCII)  # a claim's name: what its set calls it, and an ordinal


def name_key(kind: str, namespace: str, name: str) -> str:
    """The name under which find each other: an autoscaler and what it scales, a StatefulSet and its claims."""
    return f"{kind}/{namespace}/{name}"


def claim_key(namespace: str, name: str) -> str:
    """The name key that a claim shares with the others of its template and set; empty if no set names it so."""
    match = _OF_A_SET.fullmatch(name)
    return name_key(CLAIM, namespace, match[1]) if match else ""


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
    revision: str = ""  # a pod: of which of its owner's templates it was made; an owner that keeps several: its newest
    images: tuple[str, ...] = ()
    target: str = ""  # an autoscaler: the name key of what it scales
    maximum: int = 0  # an autoscaler: to how many replicas
    claims: tuple[str, ...] = ()  # a StatefulSet: the names of its claims, without their ordinals

    def value(self) -> ResourceList:
        """What it takes at most, in ledger units."""
        return self.fixed + self.unit * (self.replicas + (self.surge if self.rolling else 0))

    def same(self, other: Declaration) -> bool:
        """Whether both are the same wish. Surge and rolling pass by themselves; the template stands for its unit."""
        mine, theirs = (self.template or self.unit), (other.template or other.unit)
        scaled, scaled_by_other = (self.target, self.maximum), (other.target, other.maximum)
        return (self.replicas, self.fixed, mine, scaled) == (other.replicas, other.fixed, theirs, scaled_by_other)

    def as_document(self) -> dict[str, Any]:
        """For storage; `from_document` reads it back."""
        return {
            "kind": self.kind,
            "replicas": self.replicas,
            "unit": self.unit.as_dict(),
            "surge": self.surge,
            "rolling": self.rolling,
            "fixed": self.fixed.as_dict(),
            "template": self.template,
            "revision": self.revision,
            "images": list(self.images),
            "target": self.target,
            "maximum": self.maximum,
            "claims": list(self.claims),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """What `as_document` wrote."""
        return cls(
            kind=document["kind"],
            replicas=document["replicas"],
            unit=ResourceList(document["unit"]),
            surge=document["surge"],
            rolling=document["rolling"],
            fixed=ResourceList(document["fixed"]),
            template=document["template"],
            revision=document["revision"],
            images=tuple(document["images"]),
            target=document["target"],
            maximum=document["maximum"],
            claims=tuple(document["claims"]),
        )


@dataclass(frozen=True, slots=True)
class Pending:
    """An admitted write that the watch has neither seen nor ruled out.

    `base_version` is the resourceVersion that the write was made on, empty on CREATE: the API server writes only if
    the object still has it, so the object's first version after it tells whether this write won.
    """

    base_version: str
    declaration: Declaration
    content: str  # the same object and content replaces the entry: the API server ran admission again
    deadline: datetime  # after it a quorum LIST may rule, never the clock alone
    grant: UUID | None = None
    decision: UUID | None = None

    def as_document(self) -> dict[str, Any]:
        """For storage; `from_document` reads it back."""
        return {
            "base_version": self.base_version,
            "declaration": self.declaration.as_document(),
            "content": self.content,
            "deadline": self.deadline.isoformat(),
            "grant": str(self.grant) if self.grant else None,
            "decision": str(self.decision) if self.decision else None,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """What `as_document` wrote."""
        return cls(
            base_version=document["base_version"],
            declaration=Declaration.from_document(document["declaration"]),
            content=document["content"],
            deadline=datetime.fromisoformat(document["deadline"]),
            grant=UUID(document["grant"]) if document["grant"] else None,
            decision=UUID(document["decision"]) if document["decision"] else None,
        )


@dataclass(frozen=True, slots=True)
class Size:
    """How much a pod takes, or the largest pod of a workload, and which template of its owner it was made of.

    A pod may take more than its template foretells: a webhook injects a sidecar, or it was resized in place.
    """

    revision: str  # empty: of whatever its owner's template is
    unit: ResourceList


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One object that the ledger knows. `children` is the sum of the needs of those directly below it.

    `sizes` counts the pods that draw on it: how many of those directly below have which size. It is a count, not the
    largest alone, so that the largest is still known when it goes. `maxima` are how far autoscalers may scale it, by
    their uid, where policy charges the maximum (`autoscaling.align` keeps them).
    """

    id: UUID
    charge_id: UUID
    uid: str
    kind: str
    namespace: str
    name: str
    parent_uid: str | None = None  # below which the ledger keeps it; None: the root of its charge
    owner_uid: str | None = None  # what its controllerRef says, known to the ledger or not
    observed: Declaration | None = None
    observed_version: str = ""
    pendings: tuple[Pending, ...] = ()
    children: ResourceList = EMPTY
    sizes: Mapping[Size, int] = field(default_factory=dict)
    maxima: Mapping[str, int] = field(default_factory=dict)
    gone: bool = False  # deleted, or never came to be; kept so that a late event does not bring it back
    deleting: bool = False  # has a deletionTimestamp

    def declared(self) -> tuple[Declaration, ...]:
        """What was observed, then what is pending."""
        return (*((self.observed,) if self.observed else ()), *(one.declaration for one in self.pendings))

    def value(self) -> ResourceList:
        """The largest of what was observed and what is pending, component by component."""
        most = max(self.maxima.values(), default=0)
        return largest_of(
            replace(one, unit=one.unit | self.largest(one), replicas=max(one.replicas, most)).value()
            for one in self.declared()
        )

    def largest(self, declaration: Declaration) -> ResourceList:
        """The largest pod that runs with a declaration's template, or, while that rolls out, with any."""
        made_of = ("", declaration.revision or declaration.template)
        return largest_of(one.unit for one in self.sizes if declaration.rolling or one.revision in made_of)

    def size(self) -> Size | None:
        """What it adds to the sizes of what it draws on: a pod itself, a workload the largest of its pods."""
        declared = self.declared()
        if not declared:
            return None
        unit = largest_of(one.unit * one.replicas if self.kind == POD else self.largest(one) for one in declared)
        revision = declared[0].revision if self.kind == POD else declared[0].template
        return Size(revision, unit) if unit else None

    def last_known(self) -> Declaration | None:
        """What it was last known to declare, pending writes included; the one that rolls out, if any does."""
        known = self.declared()
        return next((one for one in known if one.rolling), known[-1] if known else None)

    def targets(self) -> dict[str, int]:
        """An autoscaler: how far it may scale what, by name key, the newest wish last. Empty for all others."""
        found: dict[str, int] = {}
        for one in self.declared():
            if one.target:
                found[one.target] = max(one.maximum, found.pop(one.target, 0))
        return found

    def claims(self) -> set[str]:
        """A StatefulSet: the name keys of its claims, pending writes included. Empty for all others."""
        return {name_key(CLAIM, self.namespace, name) for one in self.declared() for name in one.claims}

    def names(self) -> list[str]:
        """The name keys of what it names: an autoscaler what it scales, a StatefulSet its claims."""
        return [*self.targets(), *sorted(self.claims())]

    def name_key(self) -> str | None:
        """What it is found by: an autoscaler by what it scales. None: nothing can name it, or it is gone."""
        if self.gone or self.kind == POD:
            return None
        if self.kind == CLAIM:
            return claim_key(self.namespace, self.name) or None
        return next(reversed(self.targets()), name_key(self.kind, self.namespace, self.name))

    def need(self) -> ResourceList:
        """max(value, children), but `count/*` adds up: a Deployment and its pods are all there."""
        return joint_need((self,))

    def deadline(self) -> datetime | None:
        """When the oldest of its pendings may be ruled out."""
        return min((one.deadline for one in self.pendings), default=None)


def joint_need(incarnations: Iterable[ObjectState]) -> ResourceList:
    """What objects of one name need together, of which at most one can exist: their own values do not add up.

    What hangs below them does: a deleted Deployment's pods may still run while its successor's start.
    """
    values: ResourceList = EMPTY
    below: ResourceList = EMPTY
    for one in incarnations:
        values, below = values | one.value(), below + one.children
    return (_without_counts(values) | _without_counts(below)) + _counts(values) + _counts(below)


def _counts(amounts: ResourceList) -> ResourceList:
    return ResourceList({name: value for name, value in amounts.items() if name.startswith("count/")})


def _without_counts(amounts: ResourceList) -> ResourceList:
    return ResourceList({name: value for name, value in amounts.items() if not name.startswith("count/")})


def rises(before: Declaration | None, after: Declaration | None) -> bool:
    """Whether any component of what an object declares is larger after than before."""
    return after is not None and not after.value() <= (before.value() if before else EMPTY)


@dataclass(frozen=True, slots=True)
class ChargeState:
    """What the ledger holds for one root object's incarnation. `version` is 0 while it is only proposed."""

    id: UUID
    kind: str
    native_id: str
    incarnation: str
    project_id: UUID | None
    path: tuple[str, ...]  # the project first, the root last; empty: its namespace is not bound, or exempt
    state: str = "held"
    level: ResourceList = EMPTY  # what stands in usage for it
    confirmed: ResourceList = EMPTY  # of the level, what was seen to exist
    version: int = 0
    decision_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What a node has taken of one resource, with the limits that guard it."""

    node_id: str
    resource: str
    depth: int
    used: int = 0
    drawn: int = 0
    hard: int | None = None
    lending: int | None = None
    borrowing: int | None = None
    allowance: int = 0
    rule: str = ""

    @property
    def guaranteed(self) -> int:
        """G = hard - lending limit; without a lending limit all may be lent; the root lends nothing."""
        if self.hard is None or (self.lending is None and self.depth > 0):
            return 0
        return max(0, self.hard - (self.lending or 0 if self.depth else 0))

    @property
    def limit(self) -> int | None:
        """hard + borrowing limit + live allowances; None: no limit."""
        return None if self.hard is None else self.hard + (self.borrowing or 0) + self.allowance

    def standing(self) -> Position:
        """Where the node stands, with nothing added."""
        return Position(self.node_id, self.resource, self.depth, self.used, 0, self.limit, self.drawn, self.rule)


@dataclass(frozen=True, slots=True)
class AllowanceState:
    """An approved overrun of one node's limit for one charge."""

    node_id: str
    resource: str
    amount: int
    grant_id: UUID
    until: datetime
    charge_id: UUID | None = None  # None: not consumed yet
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a node would stand in one resource. `limit` includes borrowing and allowances; None: no limit."""

    node_id: str
    resource: str
    depth: int
    used: int  # before
    increase: int  # at this node: what a child draws may rise by less than what the child takes
    limit: int | None
    drawn: int  # after: what it passes up
    rule: str = ""

    @property
    def used_after(self) -> int:
        return self.used + self.increase

    @property
    def over(self) -> int:
        """By how much the limit would be exceeded."""
        return 0 if self.limit is None else max(0, self.used_after - self.limit)

    @property
    def refused(self) -> bool:
        """Only what rises is checked: a limit may be cut below usage, then only decreases pass."""
        return self.increase > 0 and self.over > 0


@dataclass(frozen=True, slots=True)
class ScopeState:
    """A cluster that asks, as far as a decision needs it."""

    name: str
    mode: str
    warn_until: datetime | None
    labels: Mapping[str, str]
    epoch: int


def mode_at(mode: str, warn_until: datetime | None, now: datetime) -> str:
    """The mode of a cluster that is in force: a switch to warn ends by itself."""
    return "enforce" if mode == "warn" and (warn_until is None or warn_until <= now) else mode


@dataclass(frozen=True, slots=True)
class BindingState:
    """Which project pays for a part of a scope."""

    scope: str
    name: str
    project_id: UUID | None
    exempt: bool
    path: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    autoscaling: str = "current"  # or maximum: what an autoscaler may set is charged, not what it sets


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows around one object: its ancestors, their charges, those of its name, the path's usage."""

    scope: ScopeState | None
    binding: BindingState | None
    usage: tuple[UsageRow, ...]
    objects: Mapping[str, ObjectState]  # by uid
    charges: Mapping[UUID, ChargeState]
    allowances: tuple[AllowanceState, ...] = ()


def walk(
    usage: Iterable[UsageRow],
    path: Sequence[str],
    delta: ResourceList,
    allowances: Iterable[AllowanceState] = (),
) -> tuple[Position, ...]:
    """Carry a change from the project up to the root.

    A node passes up C = max(used, G), so a child that stays below its guarantee does not move its parent. A row that
    is missing stands for a node without limit that has taken nothing.

    Args:
        usage: rows of the nodes of the path; others are ignored.
        path: node ids, the project first, the root last.
        delta: change of what the project takes itself, in ledger units, up or down.
        allowances: overruns to be added to those that the rows already count.

    Returns:
        a position for every node and changed resource, the project first; nodes above one that passes no change up
        appear with an increase of 0.
    """
    rows = {(row.node_id, row.resource): row for row in usage}
    more: dict[tuple[str, str], int] = {}
    for one in allowances:
        more[one.node_id, one.resource] = more.get((one.node_id, one.resource), 0) + one.amount
    positions = []
    for resource in sorted(delta):
        change = delta[resource]
        for place, node in enumerate(path):
            row = rows.get((node, resource)) or UsageRow(node, resource, depth=len(path) - 1 - place)
            limit = None if row.limit is None else row.limit + more.get((node, resource), 0)
            drawn = max(row.used + change, row.guaranteed)
            positions.append(Position(node, resource, row.depth, row.used, change, limit, drawn, row.rule))
            change = drawn - row.drawn
    return tuple(positions)
