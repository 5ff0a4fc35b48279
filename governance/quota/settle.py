"""What the ledger makes of what the watch saw. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from governance.quota.autoscaling import align
from governance.quota.draft import Draft, adopt_waiting, gather_claims, placed, plan_of, put, reparent, set_levels
from governance.quota.model import Declaration, Known, ObjectState, Pending
from governance.quota.plan import ObjectRef, Observation, Plan, Settled
from governance.units import largest_of


def settle(known: Known, seen: Observation) -> Plan:
    """Take what was seen: resolve pendings, move the object below its owner, set the charges to what is needed.

    An event that is not newer than what was observed changes nothing. A LIST begun after a pending's deadline rules
    on it too; the clock alone never does.
    """
    draft = Draft(known)
    state = draft.objects.get(seen.ref.uid)
    if state is None and seen.declaration is None:
        return plan_of(draft, seen.ref)
    newer = state is None or version_number(seen.version) > version_number(state.observed_version)
    if state is not None and not newer and seen.listed_at is None:
        return plan_of(draft, seen.ref)
    if state is None or (state.gone and newer and seen.declaration is not None):
        state = placed(draft, seen.ref, state)
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
        return plan_of(draft, seen.ref)
    put(draft, after)
    if seen.declaration is not None and version_number(seen.version) >= version_number(after.observed_version):
        reparent(draft, seen.ref)
        adopt_waiting(draft, seen.ref)
    gather_claims(draft, seen.ref)
    align(draft)
    set_levels(draft, falls=True)
    return plan_of(draft, seen.ref, settled)


def realigned(known: Known, ref: ObjectRef) -> Plan:
    """What the charges become when policy on autoscalers has changed; `ref` is one of them."""
    draft = Draft(known)
    align(draft)
    set_levels(draft, falls=True)
    return plan_of(draft, ref)


def version_number(version: str) -> int:
    """A resourceVersion as a number; they are comparable within one cluster epoch (KEP-5504). Empty: before all."""
    return int(version) if version.isdigit() else 0


def _as_running(state: ObjectState, seen: Declaration) -> Declaration:
    """While it rolls out, pods of the former template run as well: its unit is the larger one until that is over."""
    if not seen.rolling:
        return seen
    return replace(seen, unit=largest_of([seen.unit, *(one.unit for one in state.declared())]))


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


def _shared(draft: Draft, state: ObjectState, settled: Iterable[Settled]) -> list[Settled]:
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
            put(draft, replace(other, pendings=kept))
    return also


def _persisted(one: Pending, seen: Observation, version: int) -> bool:
    """Whether the write won. A LIST that shows a later write on top counts as won: a grant is single-use."""
    if seen.declaration is None:
        return not one.base_version and seen.listed_at is None
    if not one.base_version or seen.declaration.same(one.declaration):
        return True
    return seen.listed_at is not None and version > version_number(one.base_version)
