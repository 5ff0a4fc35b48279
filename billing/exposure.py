"""What each department and project comes to in a month: what was charged to it, and what stands will cost until its end
(LEDGER.md, "Money and settlement")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from sqlmodel import Session, col, select

from billing.allocation import EXACT, NOTHING, Posting
from billing.inputs import resources_of
from governance.budget.spend import Spent
from governance.identity.organisation import currency_of
from governance.pricing.model import cost
from governance.pricing.prices import prices_of
from governance.quota.settlements import run_in_force, settlements_of
from governance.quota.tables import Charge
from governance.units import Period

_Sums = dict[tuple[str, str], Decimal]


def spent_by_node(
    session: Session, period: Period, postings: Iterable[Posting], tree: Mapping[str, Sequence[str]]
) -> list[Spent]:
    """By node and currency, with all below it; what nobody owns is the root's.

    Args:
        tree: by name the way up: ids as text, the node's own first.
    """
    above = {way[0]: way for way in tree.values()}
    root = next((way[-1:] for way in above.values()), [])
    spent = _up((above.get(one.node or "", root), one.currency, one.effective) for one in postings)
    standing = _up(_standing(session, period, above))
    return [
        Spent(UUID(node), currency, spent.get((node, currency), NOTHING), _sum(spent, standing, (node, currency)))
        for node, currency in sorted(spent.keys() | standing.keys())
    ]


def _standing(
    session: Session, period: Period, above: Mapping[str, Sequence[str]]
) -> list[tuple[Sequence[str], str, Decimal]]:
    """What each charge costs from where its lines end to the end of the month, by the prices in force."""
    own = currency_of(session)
    resources = resources_of(session, period)
    prices = prices_of(session, {(one.provider, one.region, one.machine) for one in resources})
    ids = {one.charge_id for one in resources}
    payers = dict(session.exec(select(Charge.id, Charge.project_id).where(col(Charge.id).in_(ids))).all())
    run = run_in_force(session, str(period))
    settled = settlements_of(session, run) if run else ()
    through = {one.charge_id: one.billed_through for one in settled if one.billed_through}
    found = []
    for one in resources:
        start = max(one.valid_from, period.start, through.get(one.charge_id, period.start))
        end = min(one.valid_to or period.end, period.end)
        payer = payers[one.charge_id]
        if start < end and payer is not None and str(payer) in above:
            rest = cost(prices[one.provider, one.region, one.machine], start, end, own)
            found.append((above[str(payer)], own, rest.value))
    return found


def _up(amounts: Iterable[tuple[Sequence[str], str, Decimal]]) -> _Sums:
    sums: _Sums = defaultdict(lambda: NOTHING)
    for way, currency, amount in amounts:
        for node in way:
            sums[node, currency] = EXACT.add(sums[node, currency], amount)
    return dict(sums)


def _sum(one: _Sums, other: _Sums, key: tuple[str, str]) -> Decimal:
    return EXACT.add(one.get(key, NOTHING), other.get(key, NOTHING))
