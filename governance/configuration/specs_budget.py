"""The spec of a budget. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from governance.configuration.specs import Currency, QuotaFor, Spec, SpecProblem, quantity, refuse

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)


def _amount(text: str) -> str:
    if not _AMOUNT.fullmatch(text) or not Decimal(text):
        raise refuse(f"{text!r} is not an amount above zero. Write it like 12000 or 1180.50.")
    return text


class Budget(Spec):
    """What a department or project, with all below it, may spend a month, and what is done once that is reached."""

    for_: QuotaFor = Field(alias="for")
    per_month: Annotated[str, BeforeValidator(quantity), AfterValidator(_amount)]
    currency: Currency
    reached: Literal["deny", "approval"] = "deny"

    def problems(self) -> Iterator[SpecProblem]:
        if (self.for_.department is None) == (self.for_.project is None):
            yield ("for",), "It must name one department or one project.", "Set one of the two."
