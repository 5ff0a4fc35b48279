"""Quantities, resource lists, money and periods. Exact integers and Decimals; never a float.

The ledger's unit of a resource: CPU in millicores, memory and storage in bytes, money (`credits`) in micro-units,
everything else a count; each rounded up, as Kubernetes rounds (apimachinery `resource.Quantity.MilliValue`, `Value`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Context, Decimal, InvalidOperation
from typing import Self

from governance.errors import BadInput

AMOUNT_MAX = 2**63 - 1

QUANTITY_PATTERN = r"^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$"
QUANTITY_LENGTH_MAX = 64
_QUANTITY = re.compile(QUANTITY_PATTERN, re.ASCII)
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_EXACT = Context(
    prec=1200
)  # room for 64 digits at an exponent of three digits: nothing is rounded before amount() does


def parse_quantity(text: str | int, *, field: str = "quantity") -> Decimal:
    """Parse a Kubernetes quantity (apimachinery `resource.Quantity`: `500m`, `2Gi`, `1e3`) into its exact value.

    Raises:
        BadInput: not a quantity, or longer than 64 characters.
    """
    source = str(text)
    match = _QUANTITY.match(source) if len(source) <= QUANTITY_LENGTH_MAX else None
    if match is None or isinstance(text, bool):
        raise BadInput(
            f"{source[:QUANTITY_LENGTH_MAX]!r} is not a quantity.",
            field=field,
            remedy="Write it like 500m, 2Gi or 10.",
        )
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return _EXACT.multiply(number, Decimal(1024 ** _BINARY[suffix]))
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:]) if suffix else 0
    return _EXACT.scaleb(number, Decimal(exponent))


def is_cpu(resource: str) -> bool:
    """Whether the ledger keeps this resource in millicores."""
    return resource in {"cpu", "requests.cpu", "limits.cpu"}


def is_bytes(resource: str) -> bool:
    """Whether the ledger keeps this resource in bytes."""
    tail = resource.removeprefix("requests.").removeprefix("limits.")
    return (
        tail in {"memory", "storage", "ephemeral-storage"}
        or tail.startswith("hugepages-")
        or resource.endswith(".storageclass.storage.k8s.io/requests.storage")
    )


def amount(resource: str, quantity: str | int, *, field: str | None = None) -> int:
    """The quantity in the ledger's unit of that resource, rounded up.

    Raises:
        BadInput: not a quantity, negative, or beyond a signed 64-bit integer.
    """
    name = field or resource
    return in_units(resource, parse_quantity(quantity, field=name), field=name)


def in_units(resource: str, value: Decimal, *, field: str | None = None) -> int:
    """An exact value in the ledger's unit of that resource, rounded up.

    Raises:
        BadInput: negative, or beyond a signed 64-bit integer.
    """
    factor = 1000 if is_cpu(resource) else 1_000_000 if resource == "credits" else 1
    whole = _EXACT.multiply(value, Decimal(factor)).to_integral_value(rounding=ROUND_CEILING, context=_EXACT)
    if not 0 <= whole <= AMOUNT_MAX:
        raise BadInput(
            f"{value:.10G} is out of range.",
            field=field or resource,
            remedy=f"Use a value between 0 and {AMOUNT_MAX} base units.",
        )
    return int(whole)


def show_amount(resource: str, value: int) -> str:
    """A ledger amount in Kubernetes' own notation: `1500m`, `2Gi`, `12`; money as a decimal number."""
    if is_cpu(resource):
        return str(value // 1000) if value % 1000 == 0 else f"{value}m"
    if resource == "credits":
        return (
            f"{Decimal(value).scaleb(-6):f}".rstrip("0").rstrip(".") if value % 1_000_000 else str(value // 1_000_000)
        )
    if is_bytes(resource) and value:
        for suffix, power in reversed(_BINARY.items()):
            if value % 1024**power == 0:
                return f"{value // 1024**power}{suffix}"
    return str(value)


class ResourceList(Mapping[str, int]):
    """An immutable list of resources with ledger amounts. A name that is absent stands for zero.

    The algebra is that of Kubernetes' quota package (`k8s.io/apiserver/pkg/quota/v1`: Add, Subtract, Max,
    LessThanOrEqual), except that an absent name is zero everywhere.
    """

    __slots__ = ("_amounts",)

    def __init__(self, amounts: Mapping[str, int] | Iterable[tuple[str, int]] = ()) -> None:
        self._amounts = {name: value for name, value in dict(amounts).items() if value}

    @classmethod
    def parse(cls, quantities: Mapping[str, str | int], *, field: str = "") -> Self:
        """From Kubernetes quantities, name by name. Raises BadInput with the field of the first bad one."""
        dot = f"{field}." if field else ""
        return cls({name: amount(name, text, field=f"{dot}{name}") for name, text in quantities.items()})

    def __getitem__(self, name: str) -> int:
        return self._amounts.get(name, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __len__(self) -> int:
        return len(self._amounts)

    def __contains__(self, name: object) -> bool:
        return name in self._amounts

    def __eq__(self, other: object) -> bool:
        return self._amounts == other._amounts if isinstance(other, ResourceList) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._amounts.items()))

    def __repr__(self) -> str:
        return f"ResourceList({self._amounts!r})"

    def __add__(self, other: ResourceList) -> ResourceList:
        return ResourceList({name: self[name] + other[name] for name in self._amounts.keys() | other._amounts.keys()})

    def __sub__(self, other: ResourceList) -> ResourceList:
        return ResourceList({name: self[name] - other[name] for name in self._amounts.keys() | other._amounts.keys()})

    def __mul__(self, times: int) -> ResourceList:
        return ResourceList({name: value * times for name, value in self._amounts.items()})

    def __or__(self, other: ResourceList) -> ResourceList:
        """The larger of the two, component by component."""
        return ResourceList(
            {name: max(self[name], other[name]) for name in self._amounts.keys() | other._amounts.keys()}
        )

    def __le__(self, other: ResourceList) -> bool:
        """Whether no component is larger than the other's."""
        return all(self[name] <= other[name] for name in self._amounts.keys() | other._amounts.keys())

    def positive(self) -> ResourceList:
        """The components above zero."""
        return ResourceList({name: value for name, value in self._amounts.items() if value > 0})

    def within_range(self) -> Self:
        """Itself. Raises BadInput that names the first amount beyond what the ledger can hold."""
        for name, value in self._amounts.items():
            if value > AMOUNT_MAX:
                raise BadInput(
                    f"{name}: {show_amount(name, value)} is more than can be counted.",
                    field=name,
                    remedy="Ask for fewer replicas, or for less in each.",
                )
        return self

    def as_dict(self) -> dict[str, int]:
        """A plain copy, names in order, for storage and documents."""
        return dict(sorted(self._amounts.items()))

    def quantities(self) -> dict[str, str]:
        """Names in order with amounts in Kubernetes' notation, for people."""
        return {name: show_amount(name, value) for name, value in sorted(self._amounts.items())}


EMPTY = ResourceList()


def sum_of(lists: Iterable[ResourceList]) -> ResourceList:
    """The sum of many."""
    totals: dict[str, int] = {}
    for one in lists:
        for name, value in one.items():
            totals[name] = totals.get(name, 0) + value
    return ResourceList(totals)


def largest_of(lists: Iterable[ResourceList]) -> ResourceList:
    """The largest, component by component, of many; empty of none."""
    every = iter(lists)
    result = next(every, EMPTY)
    for one in every:
        result = result | one
    return result


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency (ISO 4217). Sums across currencies are refused."""

    value: Decimal
    currency: str

    @classmethod
    def parse(cls, value: str, currency: str, *, field: str = "amount") -> Self:
        """Raises BadInput for anything that is not a finite decimal number or a three-letter currency."""
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise BadInput(f"{value!r} is not an amount of money.", field=field, remedy="Write it like 1180.50.")
        if not re.fullmatch("[A-Z]{3}", currency):
            raise BadInput(f"{currency!r} is not a currency.", field=field, remedy="Use an ISO 4217 code such as EUR.")
        return cls(number, currency)

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise BadInput(
                f"{self.currency} and {other.currency} cannot be added.",
                field="currency",
                remedy="Convert one of them at a stored rate first.",
            )
        return Money(self.value + other.value, self.currency)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A UTC month, half open: from its first instant up to, and without, the next month's."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str, *, field: str = "period") -> Self:
        """From `2026-11`. Raises BadInput."""
        match = re.fullmatch(r"([12][0-9]{3})-(0[1-9]|1[0-2])", text, re.ASCII)
        if match is None:
            raise BadInput(f"{text!r} is not a month.", field=field, remedy="Write it like 2026-11.")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """The month that this moment is in."""
        there = moment.astimezone(UTC)
        return cls(there.year, there.month)

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return self.following.start

    @property
    def following(self) -> Period:
        """The month after it."""
        return Period(self.year + self.month // 12, self.month % 12 + 1)

    @property
    def previous(self) -> Period:
        """The month before it."""
        return Period(self.year - (self.month == 1), (self.month - 2) % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
