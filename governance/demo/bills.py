"""Bills of the made-up hospital with a known answer: FOCUS lines, the invoices for them, and what each project owes.

Everything follows from the months that are asked for; the same months give the same bytes. Who pays for a line is said
here as it is made, by nobody's rule, so that an allocation can be held against it.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from governance.units import Period

AWS, AZURE = "Amazon Web Services EMEA SARL", "Microsoft"
_RESEARCH, _ARCHIVE = "111122223333", "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590"
_STRAY = "999988887777"  # an account that nobody has described
NOBODY = ""
_CENT = Decimal("0.01")
_COLUMNS = (
    "BilledCost",
    "EffectiveCost",
    "BillingCurrency",
    "BillingAccountId",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ChargeDescription",
    "CommitmentDiscountId",
    "CommitmentDiscountStatus",
    "InvoiceId",
    "InvoiceIssuerName",
    "ProviderName",
    "RegionId",
    "ResourceId",
    "ServiceCategory",
    "ServiceName",
    "SubAccountId",
    "Tags",
)


@dataclass(slots=True)
class Bill:
    """A month of one issuer. `owed`: what each project is charged back, by name; of what is split, its part."""

    issuer: str
    period: Period
    invoice: str
    lines: list[dict[str, str]] = field(default_factory=list)
    owed: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def csv(self) -> str:
        """The lines as FOCUS has them."""
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(self.lines)
        return text.getvalue()

    @property
    def amount(self) -> Decimal:
        """What the invoice says, without tax: lines summed, then rounded to the cent, as issuers do."""
        sums = (Decimal(one["BilledCost"]) for one in self.lines if one["ChargeCategory"] != "Tax")
        return sum(sums, Decimal(0)).quantize(_CENT)

    @property
    def tax(self) -> Decimal:
        """Its tax, which is a line as well."""
        sums = (Decimal(one["BilledCost"]) for one in self.lines if one["ChargeCategory"] == "Tax")
        return sum(sums, Decimal(0)).quantize(_CENT)


def bills_of(period: Period) -> list[Bill]:
    """The bills of a month, one of each issuer."""
    return [_aws(period), _azure(period)]


def so_far(instance: str, at: datetime, cost: Decimal, other: Decimal) -> Bill:
    """What has been billed of ct-training's month so far, not invoiced yet: an hour of one instance, by its id alone,
    and what was trained elsewhere, by its tag. Both in EUR."""
    bill, hour = Bill(AWS, Period.of(at), invoice=""), at.replace(minute=0, second=0, microsecond=0)
    machine = f"arn:aws:ec2:eu-north-1:{_RESEARCH}:instance/{instance}"
    tags = json.dumps({"hospital:project": "ct-training"})
    for amount, service, resource, tag in (
        (cost, "Amazon Elastic Compute Cloud", machine, ""),
        (other, "Amazon SageMaker", "", tags),
    ):
        line = {
            "BilledCost": f"{amount:f}",
            "EffectiveCost": f"{amount:f}",
            "ChargePeriodStart": _time(hour),
            "ChargePeriodEnd": _time(hour + timedelta(hours=1)),
            "ChargeCategory": "Usage",
            "ResourceId": resource,
            "ServiceCategory": "Compute",
            "ServiceName": service,
            "Tags": tag,
        }
        _add(bill, line, "ct-training", amount)
    return bill


def answer_of(bills: list[Bill]) -> str:
    """The invoices to record, and what each project owes, as JSON."""
    owed: dict[str, Decimal] = defaultdict(Decimal)
    for bill in bills:
        for project, amount in bill.owed.items():
            owed[project] += amount
    invoices = [
        {"issuer": one.issuer, "number": one.invoice, "currency": "EUR", "amount": str(one.amount), "tax": str(one.tax)}
        for one in bills
    ]
    told = {
        "month": str(bills[0].period),
        "invoices": invoices,
        "owed": {key: f"{owed[key]:f}" for key in sorted(owed)},
    }
    return json.dumps(told, indent=2) + "\n"


def _aws(period: Period) -> Bill:
    bill, chance = Bill(AWS, period, f"EUINSE{period.year % 100}-{period.month:05}"), Random(f"aws {period}")  # noqa: S311
    for day in _days(period):
        _use(bill, chance, day, "ct-training", service="Amazon Elastic Compute Cloud", tags="ct-training")
        _use(bill, chance, day, "platform-services", service="Amazon Simple Storage Service")
        _use(bill, chance, day, NOBODY, service="AmazonCloudWatch", account=_STRAY)
        # Covered by a savings plan: nothing is billed for it today, and its part of the purchase is charged back.
        _use(bill, chance, day, "ct-training", service="Amazon Elastic Compute Cloud", tags="ct-training", plan="Used")
    covered = sum((Decimal(one["EffectiveCost"]) for one in bill.lines if one["CommitmentDiscountStatus"]), Decimal(0))
    _charge(bill, "platform-services", "Purchase", "Compute Savings Plans", billed=covered, effective=Decimal(0))
    _charge(bill, "platform-services", "Credit", "Research credit", billed=Decimal("-12.5"), effective=Decimal("-12.5"))
    _charge(bill, "platform-services", "Tax", "VAT", billed=(bill.amount / 5).quantize(_CENT), effective=Decimal(0))
    _support(bill)
    return bill


def _azure(period: Period) -> Bill:
    bill, chance = Bill(AZURE, period, f"E{period.year}{period.month:02}Z"), Random(f"azure {period}")  # noqa: S311
    for day in _days(period):
        machine = f"{_ARCHIVE}/resourceGroups/RG-PACS/providers/Microsoft.Compute/virtualMachines/viewer-1"
        _use(bill, chance, day, "pacs", service="Virtual Machines", resource=machine)
    return bill


def _use(
    bill: Bill,
    chance: Random,
    day: datetime,
    project: str,
    *,
    service: str,
    account: str = "",
    tags: str = "",
    plan: str = "",
    resource: str = "",
) -> None:
    """A day of something, at a price with many decimals."""
    effective = Decimal(chance.randrange(1, 90_000_000_000)).scaleb(-10)
    line = {
        "BilledCost": "0" if plan else f"{effective:f}",
        "EffectiveCost": f"{effective:f}",
        "ChargePeriodStart": _time(day),
        "ChargePeriodEnd": _time(day + timedelta(days=1)),
        "ChargeCategory": "Usage",
        "CommitmentDiscountId": "sp-1" if plan else "",
        "CommitmentDiscountStatus": plan,
        "ResourceId": resource,
        "ServiceCategory": "Compute",
        "ServiceName": service,
        "SubAccountId": account,
        "Tags": json.dumps({"hospital:project": tags}) if tags else "",
    }
    _add(bill, line, project, effective)


def _charge(bill: Bill, project: str, category: str, service: str, *, billed: Decimal, effective: Decimal) -> None:
    """Something of the whole month."""
    line = {
        "BilledCost": f"{billed:f}",
        "EffectiveCost": f"{effective:f}",
        "ChargePeriodStart": _time(bill.period.start),
        "ChargePeriodEnd": _time(bill.period.end),
        "ChargeCategory": category,
        "ServiceCategory": "Other",
        "ServiceName": service,
    }
    _add(bill, line, project, effective)


def _support(bill: Bill) -> None:
    """Support, split as what is the two projects' own: to the twelfth decimal, by the larger remainder."""
    shared = Decimal("100.000000000001")
    own = [bill.owed["platform-services"], bill.owed["ct-training"]]
    units = [int(one.scaleb(12)) for one in own]
    whole = int(shared.scaleb(12))
    parts = [whole * one // sum(units) for one in units]
    rests = [whole * one % sum(units) for one in units]
    parts[rests.index(max(rests))] += whole - sum(parts)
    _charge(bill, NOBODY, "Usage", "AWS Support (Business)", billed=shared, effective=shared)
    bill.owed[NOBODY] -= shared
    for project, part in zip(("platform-services", "ct-training"), parts, strict=True):
        bill.owed[project] += Decimal(part).scaleb(-12)


def _add(bill: Bill, line: dict[str, str], project: str, effective: Decimal) -> None:
    aws = bill.issuer == AWS
    known = {
        "BillingCurrency": "EUR",
        "BillingAccountId": "444455556666" if aws else "87654321",
        "BillingPeriodStart": _time(bill.period.start),
        "BillingPeriodEnd": _time(bill.period.end),
        "ChargeDescription": line["ServiceName"],
        "InvoiceId": bill.invoice,
        "InvoiceIssuerName": bill.issuer,
        "ProviderName": "AWS" if aws else "Microsoft",
        "RegionId": "eu-north-1" if aws else "westeurope",
    }
    account = line.get("SubAccountId") or (_RESEARCH if aws else _ARCHIVE)
    bill.lines.append({**known, **line, "SubAccountId": account})
    bill.owed[project] += effective


def _days(period: Period) -> Iterator[datetime]:
    day = period.start
    while day < period.end:
        yield day
        day += timedelta(days=1)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
