"""A working copy of what the ledger knows: objects move in it, and the charges follow. Pure.

`propose` and `settle` both change objects in a draft, then level the charges, then tell what changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from uuid_utils.compat import uuid7

from governance.quota.allowances import follow
from governance.quota.model import (
    AUTOSCALER,
    CLAIM,
    LIVE,
    STATEFUL_SET,
    ChargeState,
    Known,
    ObjectState,
    Size,
    joint_need,
)
from governance.quota.plan import ObjectRef, Plan, Settled
from governance.units import EMPTY, ResourceList, sum_of

_CHAIN_MAX = 8  # pod, ReplicaSet, Deployment and a few operators' objects; a longer chain is somebody's play


@dataclass(slots=True)
class Draft:
    """A working copy of what is known."""

    known: Known
    objects: dict[str, ObjectState] = field(init=False)
    charges: dict[UUID, ChargeState] = field(init=False)
    touched: set[UUID] = field(default_factory=set)  # charges whose objects changed
    reassigned: dict[str, UUID] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.objects = dict(self.known.objects)
        self.charges = dict(self.known.charges)


def put(draft: Draft, after: ObjectState) -> None:
    """Set an object where it is, and carry what that changes up to its root."""
    before = draft.objects.get(after.uid)
    draft.objects[after.uid] = after
    draft.touched.add(after.charge_id)
    _climb(draft, after.parent_uid, before, after)


def placed(draft: Draft, ref: ObjectRef, before: ObjectState | None) -> ObjectState:
    """An object that is new to the ledger, or back: below its owner, or the root of a charge of its own."""
    if before is not None:  # a row that is gone keeps its place until `reparent` looks at it
        return replace(before, gone=False, deleting=False)
    parent = parent_of(draft, ref)
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


def parent_of(draft: Draft, ref: ObjectRef) -> ObjectState | None:
    """The owner, if it may pay: known, there, in the same namespace, and not below the object itself.

    An owner that the ledger does not know pays nothing: the object is its own root. Above an autoscaler stands what it
    scales, above a StatefulSet's claim the set.
    """
    if ref.target and ref.kind == AUTOSCALER:
        owner = target_of(draft, ref.target)
    else:
        owner = _set_of(draft, ref.target) or draft.objects.get(ref.owner_uid or "")
    chain = _chain(draft, owner.uid if owner else None)
    if owner is None or not chain or owner.gone or owner.namespace != ref.namespace:
        return None
    return None if ref.uid in {one.uid for one in chain} or len(chain) >= _CHAIN_MAX - 1 else owner


def target_of(draft: Draft, key: str) -> ObjectState | None:
    """What is scaled under this key."""
    return _newest(one for one in draft.objects.values() if one.kind != AUTOSCALER and one.name_key() == key)


def reparent(draft: Draft, ref: ObjectRef) -> None:
    """Move the object below its owner, or out from below it.

    What a deleted owner leaves behind stays with it, but a claim outlives its set, unless the set owns it. A claim
    that was let in above a limit pays for itself as long as that holds: its allowance is its own charge's.
    """
    state = draft.objects[ref.uid]
    if state.pendings and (state.parent_uid is None or ref.target):
        return  # one of them may be what takes it from its owner, or use a grant for the charge that it is in
    if ref.kind == CLAIM and state.parent_uid is None and _is_allowed_more(draft, state.charge_id):
        return
    former = draft.objects.get(state.parent_uid or "")
    parent = parent_of(draft, ref)
    outlives = ref.kind == CLAIM and former is not None and ref.owner_uid != former.uid
    if parent is None and former is not None and (former.gone or former.deleting) and not outlives:
        return
    if (parent.uid if parent else None) == state.parent_uid:
        return
    _climb(draft, state.parent_uid, state, None)
    draft.touched.add(state.charge_id)
    charge_id = parent.charge_id if parent else _charge_for(draft, ref)
    draft.objects[ref.uid] = replace(state, parent_uid=parent.uid if parent else None, charge_id=charge_id)
    draft.touched.add(charge_id)
    _climb(draft, parent.uid if parent else None, None, state)
    moved = [ref.uid]
    while moved:
        uid = moved.pop()
        for one in [one for one in draft.objects.values() if one.parent_uid == uid]:
            draft.objects[one.uid] = replace(one, charge_id=charge_id)
            moved.append(one.uid)
    draft.reassigned.pop(ref.uid, None)
    draft.reassigned[ref.uid] = charge_id


def adopt_waiting(draft: Draft, ref: ObjectRef) -> None:
    """Objects that named this one as their owner, or as what they scale, before the ledger knew it."""
    for one in list(draft.objects.values()):
        if targets := one.targets():
            if one.uid != ref.uid and ref.name_key in targets:
                reparent(draft, _ref(ref.scope, one, ref.name_key))
        elif one.owner_uid == ref.uid and one.parent_uid is None and not one.gone:
            reparent(draft, _ref(ref.scope, one))


def gather_claims(draft: Draft, ref: ObjectRef) -> None:
    """Claims that this object names or owns come below it, those that it does not name any more leave it."""
    keys = ref.name_keys
    for one in list(draft.objects.values()):
        its_own = ref.uid in (one.parent_uid, one.owner_uid)
        if one.kind == CLAIM and not one.gone and (its_own or one.name_key() in keys):
            reparent(draft, _ref(ref.scope, one, one.name_key() or ""))


def set_levels(draft: Draft, *, falls: bool) -> None:
    """Set the levels of the charges whose objects changed, and of those that share their name.

    While any of a name was only admitted, the newest that is not gone pays for all of them: at most one object of a
    name can exist, so together they are charged what they need jointly. Once every one is seen or lost, each stands
    for itself again.
    """
    by_name: dict[tuple[str, str], list[ChargeState]] = {}
    for charge in draft.charges.values():
        by_name.setdefault((charge.kind, charge.native_id), []).append(charge)
    for named in by_name.values():
        if not any(one.id in draft.touched for one in named):
            continue
        group = sorted((one for one in named if one.state in LIVE or one.id in draft.touched), key=lambda one: one.id)
        roots = {one.id: _root(draft, one) for one in group}
        there = [one for one in group if (root := roots[one.id]) is not None and not root.gone]
        newest = max(there, key=lambda one: one.id, default=None)
        if newest is not None and len(group) > 1 and any(_is_only_admitted(root) for root in roots.values()):
            joint = joint_need(one for one in roots.values() if one is not None)
            held = EMPTY if falls else sum_of(one.level for one in group)
            needs = {newest.id: joint | held}
            confirmed = {newest.id: sum_of(one.confirmed for one in group)}
        else:
            kept = {one.id: EMPTY if falls else one.level for one in group}
            needs = {one.id: root.need() | kept[one.id] for one in group if (root := roots[one.id])}
            confirmed = {one.id: one.confirmed for one in group}
        for one in group:
            level, seen = needs.get(one.id, EMPTY), confirmed.get(one.id, EMPTY)
            draft.charges[one.id] = _stated(draft, one, roots[one.id], level, seen)


def plan_of(draft: Draft, ref: ObjectRef, settled: Iterable[Settled] = ()) -> Plan:
    """What the draft changed."""
    known, namespace = draft.known, draft.known.binding
    charges = [one for one in draft.charges.values() if one.id in draft.touched or known.charges.get(one.id) != one]
    settled = tuple(settled)
    before = {one.id: known.charges[one.id] for one in charges if one.id in known.charges}
    lost = {(one.charge_id, one.grant_id) for one in settled if one.grant_id and not one.persisted}
    return Plan(
        scope=ref.scope,
        namespace=ref.namespace,
        path=namespace.path if namespace else (),
        before=tuple(before.values()),
        charges=tuple(charges),
        objects=tuple(one for one in draft.objects.values() if known.objects.get(one.uid) != one),
        reassigned=tuple(draft.reassigned.items()),
        settled=settled,
        allowances=follow(known.allowances, before, charges, lost),
    )


def _ref(scope: str, one: ObjectState, target: str = "") -> ObjectRef:
    return ObjectRef(scope, one.namespace, one.name, one.kind, one.uid, one.owner_uid, target)


def _set_of(draft: Draft, key: str) -> ObjectState | None:
    """The StatefulSet that names its claims so."""
    sets = (one for one in draft.objects.values() if one.kind == STATEFUL_SET)
    return _newest(one for one in sets if key in one.claims()) if key else None


def _is_allowed_more(draft: Draft, charge_id: UUID) -> bool:
    return any(one.charge_id == charge_id for one in draft.known.allowances)


def _newest(named: Iterable[ObjectState]) -> ObjectState | None:
    """Of several incarnations of a name the newest that was seen: at most one exists."""
    return max(named, key=lambda one: (bool(one.observed_version), one.id), default=None)


def _climb(draft: Draft, uid: str | None, before: ObjectState | None, after: ObjectState | None) -> None:
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


def _chain(draft: Draft, uid: str | None) -> list[ObjectState] | None:
    """The object and its ancestors up to the root; None where the ledger does not know all of them."""
    found: list[ObjectState] = []
    while uid is not None:
        state = draft.objects.get(uid)
        if state is None or len(found) >= _CHAIN_MAX:
            return None
        found.append(state)
        uid = state.parent_uid
    return found


def _charge_for(draft: Draft, ref: ObjectRef) -> UUID:
    """The charge of this incarnation; a new one if there is none yet."""
    for charge in draft.charges.values():
        if charge.incarnation == ref.uid and charge.kind == ref.kind:
            return charge.id
    namespace = draft.known.binding
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


def _root(draft: Draft, charge: ChargeState) -> ObjectState | None:
    """The root object of a charge; None where it now draws on another charge."""
    root = draft.objects.get(charge.incarnation)
    if root is None:
        raise LookupError(f"the facts lack the root object of charge {charge.id}")
    return root if root.parent_uid is None and root.charge_id == charge.id else None


def _is_only_admitted(root: ObjectState | None) -> bool:
    return root is not None and not root.gone and not root.observed_version


def _stated(
    draft: Draft, charge: ChargeState, root: ObjectState | None, level: ResourceList, confirmed: ResourceList
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
