"""What a write would change in the ledger, as values. Pure.

`propose` makes a Plan for an admission, `settle` for what the watch saw: rows after, and the versions of the charges
that it was made from. Whoever writes it names these versions, so that a plan made from rows that moved since is never
written. LEDGER.md, "Kubernetes: the charge of a root".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from governance.quota.allowances import Changed
from governance.quota.model import (
    CLAIM,
    STATEFUL_SET,
    AllowanceState,
    ChargeState,
    Declaration,
    Known,
    ObjectState,
    Position,
    name_key,
    walk,
)
from governance.units import EMPTY, ResourceList


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Which object: `owner_uid` is its controllerRef's uid.

    `target` is the name key of what it stands below by its name, whoever its owner is: of what an autoscaler scales,
    and the one by which a claim's StatefulSet names it. `claims` are those that a StatefulSet names, without their
    ordinals; None: what it names is not in hand.
    """

    scope: str
    namespace: str
    name: str
    kind: str  # group/resource
    uid: str
    owner_uid: str | None = None
    target: str = ""
    claims: tuple[str, ...] | None = ()

    @property
    def native_id(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def name_key(self) -> str:
        return self.target or name_key(self.kind, self.namespace, self.name)

    @property
    def name_keys(self) -> tuple[str, ...]:
        """The name keys of all that may stand above or below it by their names.

        A claim is called template-set-ordinal, and hyphens may be in each: every set that it could be of.
        """
        if self.kind == CLAIM:
            words = self.target.rpartition("/")[2].split("-")
            sets = ("-".join(words[start:]) for start in range(1, len(words)))
            return tuple(name_key(STATEFUL_SET, self.namespace, name) for name in sets)
        return (self.name_key, *(name_key(CLAIM, self.namespace, name) for name in self.claims or ()))


@dataclass(frozen=True, slots=True)
class Observation:
    """What the watch saw of one object, or a LIST of all of its kind.

    `version` is the resourceVersion: of the object, of its deletion, or, where a LIST did not hold it, of the LIST.
    `listed_at` is when the quorum LIST began; None for an event.
    """

    ref: ObjectRef
    version: str
    declaration: Declaration | None = None  # None: it is not there
    deleting: bool = False
    listed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an admitted write: `persisted`, or lost and its grant given back."""

    persisted: bool
    grant_id: UUID | None
    decision_id: UUID | None
    charge_id: UUID


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows after, and what they were made from. An empty plan writes nothing."""

    scope: str
    namespace: str
    path: tuple[str, ...]  # of the namespace; what new charges are charged to
    before: tuple[ChargeState, ...] = ()  # those of `charges` that are in the ledger already; none may have moved
    charges: tuple[ChargeState, ...] = ()
    objects: tuple[ObjectState, ...] = ()
    reassigned: tuple[tuple[str, UUID], ...] = ()  # everything below this uid now belongs to this charge
    settled: tuple[Settled, ...] = ()
    allowances: tuple[Changed, ...] = ()

    def deltas(self) -> dict[tuple[str, ...], ResourceList]:
        """Change of usage at the project of each path; decreases first: a takeover frees before it takes."""
        changes: dict[tuple[str, ...], ResourceList] = {}
        for one in self.before:
            changes[one.path] = changes.get(one.path, EMPTY) - one.level
        for one in self.charges:
            changes[one.path] = changes.get(one.path, EMPTY) + one.level
        return {path: change for path, change in sorted(changes.items(), key=_falling_first) if path and change}


def _falling_first(change: tuple[tuple[str, ...], ResourceList]) -> tuple[int, tuple[str, ...]]:
    return len(change[1].positive()), change[0]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an admission would make of the ledger."""

    plan: Plan
    charge_id: UUID
    level: ResourceList  # of the charge after
    delta: ResourceList  # what usage at the project would rise by; empty: nothing is checked
    declaration: Declaration  # as it was charged: a rollout counts its surge

    def positions(self, known: Known, allowances: Iterable[AllowanceState] = ()) -> tuple[Position, ...]:
        """Where every node of the path would stand, on the usage that was read; nothing is locked or written."""
        return walk(known.usage, self.plan.path, self.delta, allowances)
