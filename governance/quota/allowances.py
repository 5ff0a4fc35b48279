"""How allowances follow the charges that they were granted for. Pure.

An allowance raises a guard for one charge. It never makes room for others and never outlives its use: what the charge
gives back, its allowances give back too (LEDGER.md, "Rows").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from governance.quota.model import LIVE, AllowanceState, ChargeState, UsageRow

Changed = tuple[AllowanceState, AllowanceState]
"""An allowance as it was, and as it becomes: an amount of 0 ends it, another charge means that it goes on there."""

_Key = tuple[str, str]  # node, resource


def follow(
    allowances: Iterable[AllowanceState],
    before: Mapping[UUID, ChargeState],
    after: Collection[ChargeState],
    lost: Collection[tuple[UUID, UUID]],
) -> tuple[Changed, ...]:
    """What becomes of live allowances when charges change.

    Where a charge passes what it holds on to another (a name is taken over or restored, an object is adopted), its
    allowances go with it. What all of them together give back of a resource is taken from the allowances of those
    that fell, the newest first, at every node alike.

    Args:
        before: the charges as they were, those that are new left out.
        after: the same charges and new ones, as they become.
        lost: (charge, grant) of writes that never came to be; what these grants allowed ends.
    """
    held = {one.id: one for one in after}
    falls = _falls(before, after)
    left: dict[_Key, int] = {}
    changed = []
    for one in sorted(allowances, key=lambda one: str(one.id), reverse=True):
        charge = held.get(one.charge_id) if one.charge_id else None
        if charge is None:
            continue
        becomes = _passed(one, charge, before, after)
        if (charge.id, one.grant_id) in lost:
            becomes = replace(becomes, amount=0)
        elif charge.level[one.resource] < _level_before(before, charge.id, one.resource):
            key = (one.node_id, one.resource)
            fall = left.setdefault(key, falls.get(one.resource, 0))
            taken = min(becomes.amount, fall)
            left[key] = fall - taken
            becomes = replace(becomes, amount=becomes.amount - taken)
        if becomes != one:
            changed.append((one, becomes))
    return tuple(changed)


def given(usage: Mapping[_Key, UsageRow], used_before: Mapping[_Key, int], left: Mapping[_Key, int]) -> dict[_Key, int]:
    """How much of a grant's allowances a write needs: no guard is raised further than usage is above it.

    Args:
        usage: rows as the write would leave them, without the grant.
        used_before: `used` of the same rows before the write; what does not rise needs nothing.
        left: what the grant still allows, by node and resource.
    """
    needed = {}
    for key, amount in left.items():
        row = usage.get(key)
        if row is None or row.limit is None or row.used <= used_before[key]:
            continue
        need = min(amount, row.used - row.limit)
        if need > 0:
            needed[key] = need
    return needed


def _falls(before: Mapping[UUID, ChargeState], after: Collection[ChargeState]) -> dict[str, int]:
    """What these charges give back together, by resource."""
    sums: dict[str, int] = {}
    for one in before.values():
        for resource, amount in one.level.items():
            sums[resource] = sums.get(resource, 0) + amount
    for one in after:
        for resource, amount in one.level.items():
            sums[resource] = sums.get(resource, 0) - amount
    return {resource: fall for resource, fall in sums.items() if fall > 0}


def _passed(
    one: AllowanceState, charge: ChargeState, before: Mapping[UUID, ChargeState], after: Collection[ChargeState]
) -> AllowanceState:
    """At the charge that now holds what it was granted for; ended where none does."""
    if charge.level[one.resource] and charge.state in LIVE:
        return one
    rises = {
        other.id: rise
        for other in after
        if (rise := other.level[one.resource] - _level_before(before, other.id, one.resource)) > 0
    }
    heir = max(rises, key=lambda id_: (rises[id_], id_), default=None)
    return replace(one, amount=0) if heir is None else replace(one, charge_id=heir)


def _level_before(before: Mapping[UUID, ChargeState], charge_id: UUID, resource: str) -> int:
    return before[charge_id].level[resource] if charge_id in before else 0
