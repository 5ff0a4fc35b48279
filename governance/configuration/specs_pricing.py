"""The spec of a table of prices. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from governance.configuration.specs import Currency, Spec, SpecProblem, Text, quantity, refuse

_DECIMALS_MAX = 12
_PER_HOUR_MAX = Decimal(1_000_000)


def _price(text: str) -> str:
    whole, _, decimals = text.partition(".")
    if not (whole.isdigit() and whole.isascii() and (decimals or "0").isdigit() and decimals.isascii()):
        raise refuse(f"{text!r} is not a price. Write it like 1.006.")
    if len(decimals) > _DECIMALS_MAX or Decimal(text) > _PER_HOUR_MAX:
        raise refuse(f"{text!r} is out of range: at most {_PER_HOUR_MAX} an hour, with {_DECIMALS_MAX} decimals.")
    return text


class PriceTable(Spec):
    """What machines of a provider cost an hour: by it a launch is reserved, and its bill foretold."""

    provider: Literal["aws", "azure"]
    region: Text | None = None  # None: where no other table names the region
    currency: Currency
    per_hour: Annotated[
        dict[str, Annotated[str, BeforeValidator(quantity), AfterValidator(_price)]], Field(min_length=1)
    ]

    def problems(self) -> Iterator[SpecProblem]:
        for name in self.per_hour:
            if not name.isprintable() or " " in name:
                yield ("perHour", name), "It is not a machine type.", "Write it as the provider does: g5.xlarge."
