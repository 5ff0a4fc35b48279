"""What an admission would make of the ledger. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from governance.quota.autoscaling import align, charges_maximum
from governance.quota.draft import (
    Draft,
    gather_claims,
    parent_of,
    placed,
    plan_of,
    put,
    reparent,
    set_levels,
    target_of,
)
from governance.quota.model import Declaration, Known, ObjectState, Pending
from governance.quota.plan import ObjectRef, Proposal
from governance.units import EMPTY, ResourceList, largest_of, sum_of


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


def reach(known: Known, autoscaler: Declaration) -> ResourceList:
    """What the pods take that an autoscaler may make, where that is charged; by templates, as of a Scale."""
    target = target_of(Draft(known), autoscaler.target) if autoscaler.target and charges_maximum(known) else None
    most = scaled(known, target.uid, autoscaler.maximum) if target else None
    return most.unit * most.replicas if most else EMPTY


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
    draft = Draft(known)
    state = draft.objects.get(ref.uid)
    charged = _rolled(state, declaration)
    entry = Pending(base_version, charged, content, deadline, grant, decision_id)
    if state is None or state.gone:
        state = placed(draft, ref, state)
    kept = tuple(one for one in state.pendings if one.content != content)
    put(draft, replace(state, pendings=(*kept, entry)))
    if ref.owner_uid != state.owner_uid and parent_of(draft, ref) is None:
        reparent(draft, ref)  # taken from its owner: the owner will make another, so this one is charged by itself
    if ref.claims:
        gather_claims(draft, ref)  # those of a former set of that name are not charged twice
    align(draft)
    set_levels(draft, falls=False)
    charge = draft.charges[draft.objects[ref.uid].charge_id]
    if decision_id is not None:
        draft.charges[charge.id] = replace(charge, decision_id=decision_id)
    plan = plan_of(draft, ref)
    rise = sum_of(plan.deltas().values()).positive()
    return Proposal(plan, charge.id, charge.level, rise, charged)


def _rolled(state: ObjectState | None, declaration: Declaration) -> Declaration:
    """A new template rolls out: old and new replicas and the surge run together, each as large as the larger unit."""
    known = state.declared() if state else ()
    if all(one.template == declaration.template for one in known):
        return declaration
    return replace(declaration, rolling=True, unit=largest_of([declaration.unit, *(one.unit for one in known)]))
