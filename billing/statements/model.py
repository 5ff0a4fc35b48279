"""What a department or project owes for a month, in one currency. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.allocation import EXACT, rounded, sum_of
from billing.reconcile import subunit_of


@dataclass(frozen=True, slots=True)
class Line:
    """Lines of the bill that are alike, as one of the statement.

    `rule`: why this project owes them. `charge`: what they settle, with the decision that allowed it and who asked.
    `exact`: as charged back; `amount`: the same to the subunit of the currency, so that amounts sum to the total.
    """

    posting: UUID
    project: str  # empty: nobody's
    service: str
    category: str
    rule: str
    issuer: str
    lines: int
    billed: Decimal
    exact: Decimal
    amount: Decimal
    of_period: str = ""
    charge: str = ""
    decision: UUID | None = None
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """`state`: provisional, invoiced (every invoice is there and ties), closed. `number`: only of a closed month.
    `digest`: of the allocation that it is made from."""

    node: str
    title: str
    kind: str
    period: str
    currency: str
    state: str
    number: int | None
    as_of: datetime
    digest: str
    lines: Sequence[Line]

    @property
    def total(self) -> Decimal:
        """What is owed, to the subunit of the currency."""
        return self._to_pay(one.amount for one in self.lines)

    @property
    def exact(self) -> Decimal:
        """The same before it was rounded."""
        return sum_of(one.exact for one in self.lines)

    @property
    def billed(self) -> Decimal:
        """What the invoices have for the same lines."""
        return sum_of(one.billed for one in self.lines)

    @property
    def projects(self) -> list[tuple[str, Decimal]]:
        """What each project owes, the dearest first."""
        names = dict.fromkeys(one.project for one in self.lines)
        sums = [(name, self._to_pay(one.amount for one in self.lines if one.project == name)) for name in names]
        return sorted(sums, key=lambda one: (-one[1], one[0]))

    def _to_pay(self, amounts: Iterable[Decimal]) -> Decimal:
        return EXACT.quantize(sum_of(amounts), subunit_of(self.currency))


def amounts_of(exact: Sequence[Decimal], currency: str) -> list[Decimal]:
    """The amounts of lines, from their exact ones: they sum to the total as it is rounded."""
    return rounded(exact, subunit_of(currency))
