"""The spec of a rule that says who pays for lines of a bill. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from governance.configuration.specs import Name, Shape, Spec, SpecProblem, Text, quantity, refuse

ORDER_MAX = 10_000
_WEIGHT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)


def _weight(text: str) -> str:
    if not _WEIGHT.fullmatch(text) or not Decimal(text):
        raise refuse(f"{text!r} is not a weight. Write a number above zero, like 2 or 0.5, with at most six decimals.")
    return text


class TagMatch(Shape):
    """A tag that a line has; without a value, whatever its value is."""

    key: Text
    value: Text | None = None


class LineMatch(Shape):
    """What a line of a bill says of itself, in FOCUS terms: all that is named here must hold."""

    issuer: Text | None = None  # InvoiceIssuerName
    provider: Text | None = None  # ProviderName
    billing_account: Text | None = None  # BillingAccountId
    account: Text | None = None  # SubAccountId
    service: Text | None = None  # ServiceName
    category: Literal["Usage", "Purchase", "Tax", "Credit", "Adjustment"] | None = None  # ChargeCategory
    resource_prefix: Text | None = None  # of ResourceId
    tag: TagMatch | None = None


class Part(Shape):
    """One who pays a part. `weight`: only where the split is fixed."""

    project: Name
    weight: Annotated[str, BeforeValidator(quantity), AfterValidator(_weight)] | None = None


class Split(Shape):
    """How lines that several share are split: in equal parts, by weights, or as the lines that are theirs alone."""

    method: Literal["even", "fixed", "proportional"]
    among: Annotated[list[Part], Field(min_length=1, max_length=500)]


class AllocationRule(Spec):
    """Who pays for the lines that it matches. The first rule in `order` that matches a line holds; rules of equal order
    go by name."""

    order: Annotated[int, Field(ge=0, le=ORDER_MAX)]
    match: LineMatch
    project: Name | None = None
    project_tag: Text | None = None
    split: Split | None = None

    def problems(self) -> Iterator[SpecProblem]:
        if [self.project, self.project_tag, self.split].count(None) != 2:
            yield (), "It must say who pays, in one way.", "Set one of project, projectTag and split."
        if self.match == LineMatch():
            yield ("match",), "It matches every line.", "Say what a line must have."
        if self.split is None:
            return
        seen = set()
        for position, part in enumerate(self.split.among):
            where = ("split", "among", position)
            if part.project in seen:
                yield (*where, "project"), f"{part.project} stands twice.", "Name each project once."
            seen.add(part.project)
            if self.split.method == "fixed" and part.weight is None:
                yield where, "It has no weight.", "A fixed split needs a weight for each: weight: 2."
            if self.split.method != "fixed" and part.weight is not None:
                yield (*where, "weight"), "Only a fixed split has weights.", "Remove it, or set method: fixed."
