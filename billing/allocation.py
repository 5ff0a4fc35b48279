"""Who pays for lines that several share: parts sum to the whole, to the last digit. Pure.

Shares are computed here, on grouped rows, in integers: what the engine divides is a DOUBLE (LEDGER.md, "Exactness").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal

SCALE = 12
"""Decimals of an amount."""
EXACT = Context(prec=60)
NOTHING = Decimal("0E-12")


@dataclass(frozen=True, slots=True)
class Posting:
    """What a project owes for lines that are alike. `billed` ties to the invoice, `effective` is charged back.

    `node`: who pays, an id as text; None: nobody owns it. `charge`: the charge whose lines they are. `rule`: what said
    so: `charge`, `binding NAME`, `rule NAME`; empty where nothing did. `of_period`: the closed month that it corrects.
    `lines`: how many it came from, whole or in part.
    """

    node: str | None
    charge: str | None
    rule: str
    issuer: str
    provider: str
    currency: str
    service: str
    category: str
    lines: int
    billed: Decimal
    effective: Decimal
    of_period: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it one and the same posting in two reckonings."""
        named = (self.node or "", self.charge or "", self.rule, self.issuer, self.provider, self.currency)
        return (*named, self.service, self.category, self.of_period)


@dataclass(frozen=True, slots=True)
class Shares:
    """How lines that a rule matches are split. `weights`: by node; None: in proportion to what is theirs alone."""

    rule: str
    nodes: Sequence[str]
    weights: Sequence[Decimal] | None


def share(amount: Decimal, weights: Sequence[int]) -> list[Decimal]:
    """An amount in parts that sum to it exactly, by largest remainder; of equal remainders the first gets more.

    Args:
        amount: with at most twelve decimals.
        weights: none below zero, and not all zero.
    """
    whole = int(EXACT.scaleb(amount, Decimal(SCALE)))
    sign, units, total = (-1 if whole < 0 else 1), abs(whole), sum(weights)
    parts = [units * weight // total for weight in weights]
    remainders = sorted(range(len(weights)), key=lambda one: (-(units * weights[one] % total), one))
    for one in remainders[: units - sum(parts)]:
        parts[one] += 1
    return [EXACT.scaleb(Decimal(sign * part), Decimal(-SCALE)) for part in parts]


def split(postings: Sequence[Posting], shared: Iterable[tuple[Posting, Shares]]) -> list[Posting]:
    """All postings, with what is shared given to those who share it.

    Proportional parts go by what is each project's alone in the same currency, as charged back; where that is nothing
    for any of them, the parts are equal.

    Args:
        postings: what belongs to one project, or to nobody.
        shared: what does not, its node still unknown, with how it is split.
    """
    own = _own(postings)
    found = list(postings)
    for posting, shares in shared:
        weights = _weights(shares, posting.currency, own)
        billed, effective = share(posting.billed, weights), share(posting.effective, weights)
        for node, weight, one, other in zip(shares.nodes, weights, billed, effective, strict=True):
            if weight:
                found.append(replace(posting, node=node, rule=shares.rule, billed=one, effective=other))
    return found


def merged(postings: Iterable[Posting]) -> list[Posting]:
    """Postings in order, those with the same key made one."""
    found: dict[tuple[str, ...], Posting] = {}
    for one in postings:
        same = found.get(one.key)
        found[one.key] = _sum(same, one) if same else one
    return [found[key] for key in sorted(found)]


def corrections(now: Iterable[Posting], closed: Iterable[Posting], period: str) -> list[Posting]:
    """What a closed month's lines come to now, less what was charged for it: postings for the open month.

    Args:
        now: as its lines are allocated now.
        closed: as it was closed, and what has been corrected since.
    """
    less = (replace(one, lines=-one.lines, billed=-one.billed, effective=-one.effective) for one in closed)
    both = merged(replace(one, of_period=period) for one in (*now, *less))
    return [one for one in both if one.billed or one.effective]


def totals(postings: Iterable[Posting]) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """Billed and effective by issuer and currency."""
    sums: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for one in postings:
        billed, effective = sums.get((one.issuer, one.currency), (NOTHING, NOTHING))
        sums[one.issuer, one.currency] = EXACT.add(billed, one.billed), EXACT.add(effective, one.effective)
    return sums


def rounded(amounts: Sequence[Decimal], subunit: Decimal) -> list[Decimal]:
    """Amounts to the subunit of their currency that sum to their total, which is rounded half to even: the parts with
    the largest remainders make up the difference."""
    exact_total = sum_of(amounts)
    units = [EXACT.divide(one, subunit) for one in amounts]
    floors = [int(one.to_integral_value("ROUND_FLOOR", context=EXACT)) for one in units]
    total = int(EXACT.divide(exact_total, subunit).to_integral_value("ROUND_HALF_EVEN", context=EXACT))
    order = sorted(range(len(amounts)), key=lambda one: (-EXACT.subtract(units[one], Decimal(floors[one])), one))
    for one in order[: total - sum(floors)]:
        floors[one] += 1
    return [EXACT.multiply(Decimal(one), subunit) for one in floors]


def sum_of(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum: the default context would round it at 28 digits."""
    total = NOTHING
    for one in amounts:
        total = EXACT.add(total, one)
    return total


def _own(postings: Iterable[Posting]) -> Mapping[tuple[str, str], int]:
    found: dict[tuple[str, str], Decimal] = defaultdict(lambda: NOTHING)
    for one in postings:
        if one.node is not None:
            found[one.node, one.currency] = EXACT.add(found[one.node, one.currency], one.effective)
    return {key: max(0, int(EXACT.scaleb(value, Decimal(SCALE)))) for key, value in found.items()}


def _weights(shares: Shares, currency: str, own: Mapping[tuple[str, str], int]) -> list[int]:
    if shares.weights is not None:
        return [int(EXACT.scaleb(one, Decimal(SCALE))) for one in shares.weights]
    found = [own.get((node, currency), 0) for node in shares.nodes]
    return found if any(found) else [1] * len(found)


def _sum(one: Posting, other: Posting) -> Posting:
    billed, effective = EXACT.add(one.billed, other.billed), EXACT.add(one.effective, other.effective)
    return replace(one, lines=one.lines + other.lines, billed=billed, effective=effective)
