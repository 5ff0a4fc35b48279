"""A FOCUS file is read whole, or refused whole with every problem by line and column."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet
import pytest

from billing.sources import focus
from billing.sources.focus import Part
from billing.store import Store
from governance.jobs.work import Refused
from tests.billing.bills import SAMPLE, WITH_SAMPLE, bill, write


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def read(store: Store, content: bytes, name: str = "bill.csv") -> tuple[Part, ...]:
    return focus.read(store, focus.Sent(write(store.incoming(name).parent, content, name), name))


def problems(store: Store, content: bytes) -> list[tuple[int, str]]:
    with pytest.raises(Refused) as refused:
        read(store, content)
    kept = list((store.folder / "lines").iterdir()) if (store.folder / "lines").exists() else []
    assert kept == []
    return [(one["line"], one["field"]) for one in refused.value.errors]


def test_lines_are_kept_to_the_last_digit_by_billing_period(store: Store) -> None:
    october = {"BillingPeriodStart": "2026-10-01 00:00:00", "BillingPeriodEnd": "2026-11-01", "BilledCost": "-0.5"}
    october |= {"ChargePeriodStart": "2026-10-31T23:00:00Z", "ChargePeriodEnd": "2026-11-01T00:00:00+00:00"}
    first, second = read(store, bill({"BilledCost": "12345678901234.123456789012"}, {"BilledCost": "1e-12"}, october))
    assert (first.period, first.lines) == ("2026-10", 1)
    assert first.totals["EUR"]["billed"] == Decimal("-0.5")
    assert (second.period, second.lines) == ("2026-11", 2)
    assert second.totals["EUR"] == {"billed": Decimal("12345678901234.123456789013"), "effective": Decimal("1.6")}


def test_no_money_is_ever_a_float(store: Store) -> None:
    (part,) = read(store, bill({}))
    kinds = {one.name: str(one.type) for one in pyarrow.parquet.read_schema(store.file(part.file))}
    assert kinds["BilledCost"] == kinds["EffectiveCost"] == kinds["ListCost"] == "decimal128(38, 12)"
    assert not {name for name, kind in kinds.items() if kind in {"double", "float"}}


def test_a_resource_is_called_as_the_ledger_calls_it(store: Store) -> None:
    machine = "/subscriptions/ABC/resourceGroups/RG-PACS/providers/Microsoft.Compute/virtualMachines/Viewer-1"
    (part,) = read(
        store,
        bill(
            {"ResourceId": "i-0aaaaaaaaaaaaaaaa"},
            {"ResourceId": "arn:aws:s3:::Images"},
            {"ResourceId": machine, "ProviderName": "Microsoft"},
            {"ResourceId": "NULL", "Tags": '{"governance-charge-id": "C", "a": null}'},
        ),
    )
    table = pyarrow.parquet.read_table(store.file(part.file)).to_pylist()
    assert [(one["provider"], one["resource_key"], one["charge_tag"]) for one in table] == [
        ("aws", "arn:aws:ec2:eu-north-1:111122223333:instance/i-0aaaaaaaaaaaaaaaa", None),
        ("aws", "arn:aws:s3:::Images", None),
        ("azure", machine.lower(), None),
        ("aws", None, "C"),
    ]


def test_the_same_file_gives_the_same_parts_packed_or_not(store: Store) -> None:
    content = bill({}, {"BilledCost": "2"})
    assert read(store, content) == read(store, content) == read(store, gzip.compress(content), "bill.csv.gz")


WRONG: dict[str, dict[str, str]] = {
    "NaN": {"BilledCost": "NaN"},
    "too large": {"BilledCost": "1e309"},
    "beyond what is kept": {"BilledCost": "9" * 28},
    "infinite": {"ChargePeriodEnd": "infinity"},
    "a comma": {"BilledCost": "1,50"},
    "underscores": {"BilledCost": "1_000"},
    "another zone": {"ChargePeriodStart": "2026-11-27T10:00:00+02:00"},
    "no day": {"ChargePeriodStart": "2026-11-31T10:00:00Z"},
    "empty": {"EffectiveCost": ""},
    "no currency": {"BillingCurrency": "Euro"},
    "no JSON": {"Tags": "{team: imaging}"},
    "no month": {"BillingPeriodStart": "2026-11-02T00:00:00Z"},
    "backwards": {"ChargePeriodEnd": "2026-11-27T09:00:00Z"},
    "after the bill": {"ChargePeriodStart": "2026-12-02T00:00:00Z", "ChargePeriodEnd": "2026-12-03T00:00:00Z"},
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_by_line_and_column(store: Store, case: str) -> None:
    assert problems(store, bill({}, WRONG[case], {})) == [(3, next(iter(WRONG[case])))]


def test_every_problem_is_told_at_once_and_lines_are_those_of_the_file(store: Store) -> None:
    content = bill(
        {"ChargeDescription": "over\ntwo lines"},
        {"BilledCost": "x", "Tags": "y"},
        {"ChargePeriodStart": "z", "ChargeDescription": "a\n\nb"},
        {"BillingCurrency": ""},
    )
    assert problems(store, content) == [
        (4, "BilledCost"),
        (4, "Tags"),
        (5, "ChargePeriodStart"),
        (8, "BillingCurrency"),
    ]


def test_columns_that_are_missing_are_named(store: Store) -> None:
    assert problems(store, bill({}, without=("BilledCost", "ProviderName"))) == [(1, "BilledCost"), (1, "ProviderName")]
    (part,) = read(store, bill({}).replace(b"ProviderName", b"ServiceProviderName"))  # as FOCUS 1.3 calls it
    assert part.lines == 1


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01\x02", b"not,a\nbill", bill({}) + b'"open', gzip.compress(bill({}))[:-9]]
)
def test_what_is_no_bill_is_refused(store: Store, content: bytes) -> None:
    assert problems(store, content)


@WITH_SAMPLE
def test_the_real_sample_is_read_whole_dirty_as_it_is(store: Store) -> None:
    parts = focus.read(store, focus.Sent(SAMPLE, SAMPLE.name))
    assert [(one.period, one.lines) for one in parts] == [("2024-09", 999), ("2024-10", 1)]
    assert sum(one.totals["USD"]["billed"] for one in parts) == Decimal("20.520226728990")
