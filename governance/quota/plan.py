"""What a write would change in the ledger: `propose` for an admission, `settle` for what the watch saw. Pure.

Both answer a Plan: rows after, and the versions of the charges that it was made from. Whoever writes it names these
versions, so that a plan made from rows that moved since is never written. LEDGER.md, "Kubernetes: the charge of a
root".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from governance.quota.allowances import Changed, follow
from governance.quota.model import (
    LIVE,
    AllowanceState,
    ChargeState,
    Declaration,
    Known,
    ObjectState,
    Pending,
    Position,
    Size,
    joint_need,
    walk,
)
from governance.units import EMPTY, ResourceList, largest_of, sum_of

_CHAIN_MAX = 8  # pod, ReplicaSet, Deployment and a few operators' objects; a longer chain is somebody's play


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Which object: `owner_uid` is its controllerRef's uid (for a StatefulSet's claim, the set's)."""

    cluster: str
    namespace: str
    name: str
    kind: str  # group/resource
    uid: str
    owner_uid: str | None = None

    @property
    def native_id(self) -> str:
        return f"{self.namespace}/{self.name}"


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

    cluster: str
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


def scaled(known: Known, uid: str, replicas: int) -> Declaration | None:
    """What a Scale of this object declares: the larger of the observed and pending templates, times the replicas.

    None: the ledger does not know the object; read it from the cluster.
    """
    state = known.objects.get(uid)
    entries = state.declared() if state is not None and not state.gone else ()
    if not entries:
        return None
    return replace(
        entries[-1],
        replicas=replicas,
        unit=largest_of(one.unit for one in entries),
        surge=max(one.surge for one in entries),
        rolling=any(one.rolling for one in entries),
    )


def propose(
    known: Known,
    ref: ObjectRef,
    declaration: Declaration,
    *,
    base_version: str,
    content: str,
    deadline: datetime,
    grant: UUID | None = None,
    decision_id: UUID | None = None,
) -> Proposal:
    """Put the pending entry of an admitted CREATE, UPDATE or Scale, and raise the charge to what is then needed.

    Args:
        known: what `facts` read for this object.
        base_version: the object's resourceVersion before the write; empty on CREATE.
        content: hash of what is written; the same object and content replaces the entry.
        deadline: when a quorum LIST may rule the entry out: now + API request timeout + 30 s.

    Returns:
        the proposal; a charge never falls by an admission, credits come from the watch.
    """
    draft = _Draft(known)
    state = draft.objects.get(ref.uid)
    charged = _rolled(state, declaration)
    entry = Pending(base_version, charged, content, deadline, grant, decision_id)
    if state is None or state.gone:
        state = _placed(draft, ref, state)
    kept = tuple(one for one in state.pendings if one.content != content)
    _put(draft, replace(state, pendings=(*kept, entry)))
    if ref.owner_uid != state.owner_uid and _parent(draft, ref) is None:
        _reparent(draft, ref)  # taken from its owner: the owner will make another, so this one is charged by itself
    _level(draft, falls=False)
    charge = draft.charges[draft.objects[ref.uid].charge_id]
    if decision_id is not None:
        draft.charges[charge.id] = replace(charge, decision_id=decision_id)
    plan = _plan(draft, ref)
    rise = sum_of(plan.deltas().values()).positive()
    return Proposal(plan, charge.id, charge.level, rise, charged)


def settle(known: Known, seen: Observation) -> Plan:
    """Take what was seen: resolve pendings, move the object below its owner, set the charges to what is needed.

    An event that is not newer than what was observed changes nothing. A LIST begun after a pending's deadline rules
    on it too; the clock alone never does.
    """
    draft = _Draft(known)
    state = draft.objects.get(seen.ref.uid)
    if state is None and seen.declaration is None:
        return _plan(draft, seen.ref)
    newer = state is None or version_number(seen.version) > version_number(state.observed_version)
    if state is not None and not newer and seen.listed_at is None:
        return _plan(draft, seen.ref)
    if state is None or (state.gone and newer and seen.declaration is not None):
        state = _placed(draft, seen.ref, state)
    left = draft.objects.get(state.owner_uid or "")
    if left is not None and state.parent_uid != left.uid:  # what it was taken from may be credited now
        draft.touched.add(left.charge_id)
    after, settled = _resolved(state, seen, newer=newer)
    settled += _shared(draft, after, settled)
    if newer and seen.declaration is not None:
        after = replace(
            after,
            observed=_as_running(state, seen.declaration),
            observed_version=seen.version,
            owner_uid=seen.ref.owner_uid,
            deleting=seen.deleting,
            gone=False,
        )
    if after == draft.objects.get(after.uid) and not settled:
        return _plan(draft, seen.ref)
    _put(draft, after)
    if seen.declaration is not None and version_number(seen.version) >= version_number(after.observed_version):
        _reparent(draft, seen.ref)
        _adopt_waiting(draft, seen.ref)
    _level(draft, falls=True)
    return _plan(draft, seen.ref, settled)


def version_number(version: str) -> int:
    """A resourceVersion as a number; they are comparable within one cluster epoch (KEP-5504). Empty: before all."""
    return int(version) if version.isdigit() else 0


@dataclass(slots=True)
class _Draft:
    """A working copy of what is known."""

    known: Known
    objects: dict[str, ObjectState] = field(init=False)
    charges: dict[UUID, ChargeState] = field(init=False)
    touched: set[UUID] = field(default_factory=set)  # charges whose objects changed
    reassigned: dict[str, UUID] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.objects = dict(self.known.objects)
        self.charges = dict(self.known.charges)


def _rolled(state: ObjectState | None, declaration: Declaration) -> Declaration:
    """A new template rolls out: old and new replicas and the surge run together, each as large as the larger unit."""
    known = state.declared() if state else ()
    if all(one.template == declaration.template for one in known):
        return declaration
    return replace(declaration, rolling=True, unit=largest_of([declaration.unit, *(one.unit for one in known)]))


def _as_running(state: ObjectState, seen: Declaration) -> Declaration:
    """While it rolls out, pods of the former template run as well: its unit is the larger one until that is over."""
    if not seen.rolling:
        return seen
    return replace(seen, unit=largest_of([seen.unit, *(one.unit for one in state.declared())]))


def _put(draft: _Draft, after: ObjectState) -> None:
    """Set an object where it is, and carry what that changes up to its root."""
    before = draft.objects.get(after.uid)
    draft.objects[after.uid] = after
    draft.touched.add(after.charge_id)
    _climb(draft, after.parent_uid, before, after)


def _climb(draft: _Draft, uid: str | None, before: ObjectState | None, after: ObjectState | None) -> None:
    """Carry a change of what is directly below `uid` up to the root; None: it is not there, before or after."""
    while uid is not None:
        change = (after.need() if after else EMPTY) - (before.need() if before else EMPTY)
        lost, gained = before.size() if before else None, after.size() if after else None
        if not change and lost == gained:
            return
        before = draft.objects[uid]
        sizes = _recounted(before.sizes, lost, gained)
        draft.objects[uid] = after = replace(before, children=before.children + change, sizes=sizes)
        uid = after.parent_uid


def _recounted(sizes: Mapping[Size, int], lost: Size | None, gained: Size | None) -> Mapping[Size, int]:
    counts = dict(sizes)
    for size, number in ((lost, -1), (gained, 1)):
        if size is not None:
            counts[size] = counts.get(size, 0) + number
    return {size: number for size, number in counts.items() if number}


def _chain(draft: _Draft, uid: str | None) -> list[ObjectState] | None:
    """The object and its ancestors up to the root; None where the ledger does not know all of them."""
    found: list[ObjectState] = []
    while uid is not None:
        state = draft.objects.get(uid)
        if state is None or len(found) >= _CHAIN_MAX:
            return None
        found.append(state)
        uid = state.parent_uid
    return found


def _parent(draft: _Draft, ref: ObjectRef) -> ObjectState | None:
    """The owner, if it may pay: known, there, in the same namespace, and not below the object itself.

    An owner that the ledger does not know pays nothing: the object is its own root.
    """
    owner = draft.objects.get(ref.owner_uid or "")
    chain = _chain(draft, ref.owner_uid)
    if owner is None or not chain or owner.gone or owner.namespace != ref.namespace:
        return None
    return None if ref.uid in {one.uid for one in chain} or len(chain) >= _CHAIN_MAX - 1 else owner


def _placed(draft: _Draft, ref: ObjectRef, before: ObjectState | None) -> ObjectState:
    """An object that is new to the ledger, or back: below its owner, or the root of a charge of its own."""
    if before is not None:  # a row that is gone keeps its place until `_reparent` looks at it
        return replace(before, gone=False, deleting=False)
    parent = _parent(draft, ref)
    charge_id = parent.charge_id if parent else _charge_for(draft, ref)
    return ObjectState(
        id=uuid7(),
        charge_id=charge_id,
        uid=ref.uid,
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        parent_uid=parent.uid if parent else None,
        owner_uid=ref.owner_uid,
    )


def _charge_for(draft: _Draft, ref: ObjectRef) -> UUID:
    """The charge of this incarnation; a new one if there is none yet."""
    for charge in draft.charges.values():
        if charge.incarnation == ref.uid and charge.kind == ref.kind:
            return charge.id
    namespace = draft.known.namespace
    charge = ChargeState(
        id=uuid7(),
        kind=ref.kind,
        native_id=ref.native_id,
        incarnation=ref.uid,
        project_id=namespace.project_id if namespace else None,
        path=namespace.path if namespace else (),
    )
    draft.charges[charge.id] = charge
    return charge.id


def _resolved(state: ObjectState, seen: Observation, *, newer: bool) -> tuple[ObjectState, list[Settled]]:
    """Without the pendings on which this observation rules, and what became of them."""
    version = version_number(seen.version)
    left, settled = [], []
    absent = newer and seen.declaration is None
    existed = bool(state.observed_version) or seen.listed_at is None
    for one in state.pendings:
        overdue = seen.listed_at is not None and one.deadline < seen.listed_at
        if absent and not existed:  # a LIST without an object that was never seen: its CREATE may still be under way
            decided = overdue
        else:
            decided = absent or overdue or (newer and version > version_number(one.base_version))
        if decided:
            persisted = _persisted(one, seen, version)
            settled.append(Settled(persisted, one.grant, one.decision, state.charge_id))
        else:
            left.append(one)
    after = replace(state, pendings=tuple(left))
    if absent and (existed or not left):
        version_seen = seen.version if existed else ""
        after = replace(after, gone=True, observed=None, pendings=(), observed_version=version_seen)
    return after, settled


def _shared(draft: _Draft, state: ObjectState, settled: Iterable[Settled]) -> list[Settled]:
    """A grant that let this object in is final for those of its name as well that were admitted by it.

    A CREATE that is repeated before its first answer came has two incarnations and one grant; whichever exists has
    used it.
    """
    final = {one.grant_id for one in settled if one.persisted and one.grant_id}
    also = []
    for other in list(draft.objects.values()) if final else ():
        same = (other.kind, other.namespace, other.name) == (state.kind, state.namespace, state.name)
        if not same or other.uid == state.uid:
            continue
        mine = [one for one in other.pendings if one.grant in final]
        also += [Settled(True, one.grant, one.decision, other.charge_id) for one in mine]
        if mine:
            kept = tuple(replace(one, grant=None) if one.grant in final else one for one in other.pendings)
            _put(draft, replace(other, pendings=kept))
    return also


def _persisted(one: Pending, seen: Observation, version: int) -> bool:
    """Whether the write won. A LIST that shows a later write on top counts as won: a grant is single-use."""
    if seen.declaration is None:
        return not one.base_version and seen.listed_at is None
    if not one.base_version or seen.declaration.same(one.declaration):
        return True
    return seen.listed_at is not None and version > version_number(one.base_version)


def _reparent(draft: _Draft, ref: ObjectRef) -> None:
    """Move the object below its owner, or out from below it. What a deleted owner leaves behind stays with it."""
    state = draft.objects[ref.uid]
    if state.parent_uid is None and state.pendings:
        return  # one of them may be what takes it from its owner
    former = draft.objects.get(state.parent_uid or "")
    parent = _parent(draft, ref)
    if parent is None and former is not None and (former.gone or former.deleting):
        return
    if (parent.uid if parent else None) == state.parent_uid:
        return
    _climb(draft, state.parent_uid, state, None)
    draft.touched.add(state.charge_id)
    charge_id = parent.charge_id if parent else _charge_for(draft, ref)
    draft.objects[ref.uid] = replace(state, parent_uid=parent.uid if parent else None, charge_id=charge_id)
    draft.touched.add(charge_id)
    _climb(draft, parent.uid if parent else None, None, state)
    for uid, one in list(draft.objects.items()):
        if ref.uid in {above.uid for above in _chain(draft, uid) or ()}:
            draft.objects[uid] = replace(one, charge_id=charge_id)
    draft.reassigned.pop(ref.uid, None)
    draft.reassigned[ref.uid] = charge_id


def _adopt_waiting(draft: _Draft, ref: ObjectRef) -> None:
    """Objects that named this one as their owner before the ledger knew it."""
    for one in list(draft.objects.values()):
        if one.owner_uid == ref.uid and one.parent_uid is None and not one.gone:
            _reparent(draft, ObjectRef(ref.cluster, one.namespace, one.name, one.kind, one.uid, ref.uid))


def _level(draft: _Draft, *, falls: bool) -> None:
    """Set the levels of the charges whose objects changed, and of those that share their name.

    While any of a name was only admitted, the newest that is not gone pays for all of them: at most one object of a
    name can exist, so together they are charged what they need jointly. Once every one is seen or lost, each stands
    for itself again.
    """
    for kind, native_id in {(one.kind, one.native_id) for one in draft.charges.values() if one.id in draft.touched}:
        named = [one for one in draft.charges.values() if (one.kind, one.native_id) == (kind, native_id)]
        group = sorted((one for one in named if one.state in LIVE or one.id in draft.touched), key=lambda one: one.id)
        roots = {one.id: _root(draft, one) for one in group}
        there = [one for one in group if (root := roots[one.id]) is not None and not root.gone]
        newest = max(there, key=lambda one: one.id, default=None)
        if newest is not None and len(group) > 1 and any(_is_only_admitted(root) for root in roots.values()):
            joint = joint_need(one for one in roots.values() if one is not None)
            held = EMPTY if falls else sum_of(one.level for one in group)
            needs = {one.id: EMPTY for one in group} | {newest.id: joint | held}
            confirmed = {newest.id: sum_of(one.confirmed for one in group)}
        else:
            needs = {one.id: root.need() if (root := roots[one.id]) else EMPTY for one in group}
            needs = needs if falls else {one.id: needs[one.id] | one.level for one in group}
            confirmed = {one.id: one.confirmed for one in group}
        for one in group:
            draft.charges[one.id] = _stated(draft, one, roots[one.id], needs[one.id], confirmed.get(one.id, EMPTY))


def _root(draft: _Draft, charge: ChargeState) -> ObjectState | None:
    """The root object of a charge; None where it now draws on another charge."""
    root = draft.objects.get(charge.incarnation)
    if root is None:
        raise LookupError(f"the facts lack the root object of charge {charge.id}")
    return root if root.parent_uid is None and root.charge_id == charge.id else None


def _is_only_admitted(root: ObjectState | None) -> bool:
    return root is not None and not root.gone and not root.observed_version


def _stated(
    draft: _Draft, charge: ChargeState, root: ObjectState | None, level: ResourceList, confirmed: ResourceList
) -> ChargeState:
    if root is None:
        state = "released"
    elif root.gone and not level and not root.need():
        state = "released" if root.observed_version else "expired"
    else:
        state = "confirmed" if root.observed_version else "held"
    if state == "confirmed" and not any(o.pendings for o in draft.objects.values() if o.charge_id == charge.id):
        confirmed = level
    within = ResourceList({name: min(value, level[name]) for name, value in confirmed.items()})
    return replace(charge, state=state, level=level, confirmed=within)


def _plan(draft: _Draft, ref: ObjectRef, settled: Iterable[Settled] = ()) -> Plan:
    """What the draft changed."""
    known, namespace = draft.known, draft.known.namespace
    charges = [one for one in draft.charges.values() if one.id in draft.touched or known.charges.get(one.id) != one]
    settled = tuple(settled)
    before = {one.id: known.charges[one.id] for one in charges if one.id in known.charges}
    lost = {(one.charge_id, one.grant_id) for one in settled if one.grant_id and not one.persisted}
    return Plan(
        cluster=ref.cluster,
        namespace=ref.namespace,
        path=namespace.path if namespace else (),
        before=tuple(before.values()),
        charges=tuple(charges),
        objects=tuple(one for one in draft.objects.values() if known.objects.get(one.uid) != one),
        reassigned=tuple(draft.reassigned.items()),
        settled=settled,
        allowances=follow(known.allowances, before, charges, lost),
    )
