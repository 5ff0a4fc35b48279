"""Bills for tests, as FOCUS has them; what they say is the tests' own."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "focus-1.0" / "focus_sample.csv"
"""Real lines, made anonymous: FinOps Foundation, "FOCUS 1.0 Sample Data", CC BY 4.0. They are kept elsewhere."""
WITH_SAMPLE = pytest.mark.skipif(not SAMPLE.exists(), reason=f"the FOCUS 1.0 sample data is not at {SAMPLE}")

LINE = {
    "BilledCost": "1.00",
    "EffectiveCost": "0.80",
    "BillingCurrency": "EUR",
    "BillingAccountId": "999900001111",
    "BillingPeriodStart": "2026-11-01T00:00:00Z",
    "BillingPeriodEnd": "2026-12-01T00:00:00Z",
    "ChargePeriodStart": "2026-11-27T10:00:00Z",
    "ChargePeriodEnd": "2026-11-27T11:00:00Z",
    "ChargeCategory": "Usage",
    "InvoiceIssuerName": "Amazon Web Services EMEA SARL",
    "ProviderName": "AWS",
    "RegionId": "eu-north-1",
    "ResourceId": "",
    "ServiceName": "Amazon Elastic Compute Cloud",
    "SubAccountId": "111122223333",
    "Tags": "",
}


def bill(*lines: Mapping[str, str], without: tuple[str, ...] = ()) -> bytes:
    """A FOCUS file with these lines; what a line does not say is as in `LINE`."""
    names = [name for name in dict.fromkeys([*LINE, *(name for one in lines for name in one)]) if name not in without]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**LINE, **one} for one in lines)
    return text.getvalue().encode()


def write(folder: Path, content: bytes, name: str = "bill.csv") -> Path:
    """A file with this content."""
    file = folder / name
    file.write_bytes(content)
    return file
