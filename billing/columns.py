"""The columns of FOCUS that are read, and how each is written. Pure.

Source: FinOps Open Cost and Usage Specification (FOCUS) 1.0 to 1.3, "Columns". What else a file holds is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "money", "number", "time", "tags"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `required`: it must be there, and no row may leave it empty. `others`: what other versions call it."""

    name: str
    kind: Kind = "text"
    required: bool = False
    others: tuple[str, ...] = ()


COLUMNS = (
    Column("BilledCost", "money", required=True),
    Column("EffectiveCost", "money", required=True),
    Column("BillingCurrency", required=True),
    Column("BillingAccountId", required=True),
    Column("BillingPeriodStart", "time", required=True),
    Column("BillingPeriodEnd", "time", required=True),
    Column("ChargePeriodStart", "time", required=True),
    Column("ChargePeriodEnd", "time", required=True),
    Column("ChargeCategory", required=True),
    Column("InvoiceIssuerName", required=True),
    Column("ProviderName", required=True, others=("ServiceProviderName",)),
    Column("BillingAccountName"),
    Column("ChargeClass"),
    Column("ChargeDescription"),
    Column("ChargeFrequency"),
    Column("CommitmentDiscountId"),
    Column("CommitmentDiscountStatus"),
    Column("ConsumedQuantity", "number"),
    Column("ConsumedUnit"),
    Column("ContractedCost", "money"),
    Column("InvoiceId"),
    Column("ListCost", "money"),
    Column("PricingCategory"),
    Column("PricingQuantity", "number"),
    Column("PricingUnit"),
    Column("PublisherName"),
    Column("RegionId"),
    Column("ResourceId"),
    Column("ResourceName"),
    Column("ResourceType"),
    Column("ServiceCategory"),
    Column("ServiceName"),
    Column("SkuId"),
    Column("SubAccountId"),
    Column("SubAccountName"),
    Column("Tags", "tags"),
)

_NUMBER = r"^-?[0-9]{1,26}(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?$"
PATTERNS: dict[Kind, str] = {
    "money": _NUMBER,
    "number": _NUMBER,
    "time": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?(Z| ?UTC|[+-]00:?00)?$",
}
"""How a value of a kind is written. It is held against this before it is converted, for the engine takes more: it drops
the offset of a time, and reads `infinity`."""

FORMS: dict[Kind, tuple[str, str]] = {
    "money": ("a decimal number that can be kept", "1180.50"),
    "number": ("a decimal number that can be kept", "730.5"),
    "time": ("a time in UTC", "2026-11-01T00:00:00Z"),
}
"""The same in words, with an example."""

CURRENCY = r"^[A-Z]{3}$"
CHARGE_TAG = "governance-charge-id"
"""The tag by which a resource names the charge that pays for it (LEDGER.md, "Money and settlement")."""
