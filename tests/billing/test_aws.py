"""A FOCUS export of AWS on S3, on a server that speaks it: read by its manifests, switched whole."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from billing.jobs import SYNC_AWS
from billing.sources import aws
from billing.statements.read import statements_of
from billing.tables import CostBatch, CostHead
from governance.db.session import reading
from governance.identity.organisation import node_named
from governance.jobs.tables import Job
from tests.billing.bills import LINE, bill
from tests.billing.conftest import Finance
from tests.parts import aws as moto

BUCKET = "hospital-billing"
EXPORT = "cost/hospital-focus"
NOVEMBER = {"SubAccountId": "111122223333"}
OCTOBER = {
    **NOVEMBER,
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargePeriodStart": "2026-10-12T00:00:00Z",
    "ChargePeriodEnd": "2026-10-12T01:00:00Z",
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto.start("eu-north-1") as url:
        yield url


class Export:
    """An export as Data Exports delivers it: every execution beside the earlier ones, and a manifest for the newest."""

    def __init__(self, finance: Finance) -> None:
        self.finance = finance
        self.s3 = boto3.client("s3")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})

    def deliver(self, period: str, execution: str, *files: bytes, **members: Any) -> None:  # noqa: ANN401
        keys = [f"{EXPORT}/data/BILLING_PERIOD={period}/{execution}/part-{n:05}.csv.gz" for n in range(len(files))]
        for key, content in zip(keys, files, strict=True):
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        manifest = {"executionId": execution, "dataFiles": [f"s3://{BUCKET}/{key}" for key in keys], **members}
        self.manifest(period, json.dumps(manifest).encode())

    def manifest(self, period: str, content: bytes) -> None:
        name = f"{EXPORT}/metadata/BILLING_PERIOD={period}/hospital-focus-Manifest.json"
        self.s3.put_object(Bucket=BUCKET, Key=name, Body=content)

    def sync(self, prefix: str = EXPORT, bucket: str = BUCKET) -> Job:
        return self.finance.run(SYNC_AWS, {"bucket": bucket, "prefix": prefix, "source": "aws-main"})

    def owed(self, period: str = "2026-11") -> list[tuple[str, str]]:
        """What the hospital owes for a month: each line's project and amount."""
        with reading(self.finance.engine) as session:
            found = statements_of(session, node_named(session, "st-elisabeth"), period)
        return [(line.project, f"{line.exact:.2f}") for one in found for line in one.lines]


@pytest.fixture
def export(finance: Finance, server: str) -> Iterator[Export]:
    made = Export(finance)
    assert made.s3.meta.endpoint_url == server
    yield made
    bucket = boto3.resource("s3").Bucket(BUCKET)
    bucket.objects.all().delete()
    bucket.delete()


def packed(*lines: Mapping[str, str]) -> bytes:
    return gzip.compress(bill(*lines))


def test_every_month_is_read_from_the_files_that_its_manifest_names(export: Export) -> None:
    export.deliver("2026-10", "e1", packed({**OCTOBER, "EffectiveCost": "3"}))
    export.deliver("2026-11", "old", packed({**NOVEMBER, "EffectiveCost": "100"}))
    export.deliver(
        "2026-11",
        "e2",
        packed({**NOVEMBER, "EffectiveCost": "1"}),
        packed({**NOVEMBER, "EffectiveCost": "2"}, {**NOVEMBER, "EffectiveCost": "4"}),
    )
    done = export.sync()
    assert done.problem is None
    assert [(one["period"], one["lines"]) for one in (done.result or {})["periods"]] == [("2026-10", 1), ("2026-11", 3)]
    assert export.owed() == [("platform-services", "7.00")]
    assert export.owed("2026-10") == [("platform-services", "3.00")]


def test_what_is_in_force_is_not_fetched_again_and_a_new_execution_replaces_its_month(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    export.deliver("2026-10", "e1", packed({**OCTOBER, "EffectiveCost": "3"}))
    export.deliver("2026-11", "e2", packed({**NOVEMBER, "EffectiveCost": "7"}))
    export.sync()
    fetched = []
    fetch = aws.fetch

    def seen(s3: Any, execution: aws.Execution, folder: Path) -> list[Path]:  # noqa: ANN401
        fetched.append(execution.period)
        return fetch(s3, execution, folder)

    monkeypatch.setattr(aws, "fetch", seen)
    assert (export.sync().result or {}) == {"periods": [], "unchanged": 2}
    export.deliver("2026-11", "e3", packed({**NOVEMBER, "EffectiveCost": "8"}))
    assert [one["period"] for one in (export.sync().result or {})["periods"]] == ["2026-11"]
    export.deliver("2026-11", "e4", packed({**NOVEMBER, "EffectiveCost": "8"}))  # the same lines, executed again
    export.sync()
    assert (export.sync().result or {})["periods"] == []
    assert fetched == ["2026-11", "2026-11"]
    assert export.owed() == [("platform-services", "8.00")]


def test_parquet_is_read_like_csv(export: Export, tmp_path: Path) -> None:
    """As Data Exports writes it: DOUBLE amounts, timestamps, a MAP of tags."""
    text = {name: pa.array([value]) for name, value in {**LINE, **NOVEMBER}.items() if name != "Tags"}
    amounts = {"BilledCost": pa.array([7.25]), "EffectiveCost": pa.array([0.00000123])}
    tags = pa.array([[("hospital:project", "ct-training")]], pa.map_(pa.string(), pa.string()))
    file = tmp_path / "lines.parquet"
    pq.write_table(pa.table({**text, **amounts, "Tags": tags}), file)
    export.deliver("2026-11", "e1", file.read_bytes())
    done = export.sync()
    assert done.problem is None, done.problem
    with reading(export.finance.engine) as session:
        (statement,) = statements_of(session, node_named(session, "ct-training"), "2026-11")
    (line,) = statement.lines
    assert (f"{line.exact:f}", f"{line.billed:f}") == ("0.000001230000", "7.250000000000")


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"dataFiles": []}, "dataFiles"),
        ({"dataFiles": "x"}, "dataFiles"),
        ({"dataFiles": [3]}, "dataFiles"),
        ({"dataFiles": [f"s3://elsewhere/{EXPORT}/data/a.csv"]}, "dataFiles"),
        ({"dataFiles": [f"s3://{BUCKET}/other/a.csv"]}, "dataFiles"),
        ({"executionId": ""}, "executionId"),
        ({"executionId": None}, "executionId"),
    ],
)
def test_a_wrong_manifest_is_refused_and_what_was_in_force_stays(
    export: Export, members: Mapping[str, Any], field: str
) -> None:
    export.deliver("2026-11", "e1", packed({**NOVEMBER, "EffectiveCost": "7"}))
    export.sync()
    export.deliver("2026-11", "e2", packed({**NOVEMBER, "EffectiveCost": "9"}), **members)
    problem = export.sync().problem
    assert problem is not None
    assert [one["field"] for one in problem["errors"]] == [field]
    assert export.owed() == [("platform-services", "7.00")]


def test_a_bad_file_is_refused_with_its_name_and_what_was_in_force_stays(export: Export) -> None:
    export.deliver("2026-11", "e1", packed({**NOVEMBER, "EffectiveCost": "7"}))
    export.sync()
    export.deliver("2026-11", "e2", packed(NOVEMBER), packed({**NOVEMBER, "EffectiveCost": "NaN"}))
    problem = export.sync().problem
    assert problem is not None
    (error,) = problem["errors"]
    assert (error["file"], error["line"], error["field"]) == ("00001-part-00001.csv.gz", 2, "EffectiveCost")
    export.deliver("2026-11", "e3", packed(NOVEMBER)[:-9])
    assert export.sync().problem is not None
    export.deliver("2026-11", "e4", packed(OCTOBER))
    problem = export.sync().problem
    assert problem is not None
    assert "tells of 2026-10" in problem["detail"]
    assert export.finance.count(CostBatch) == export.finance.count(CostHead) == 1
    assert list((export.finance.store.folder / "making").iterdir()) == []


def test_no_json_and_a_member_that_stands_twice_are_refused(export: Export) -> None:
    for content in (b"{", b'{"executionId": "a", "executionId": "b"}', b"\xff"):
        export.manifest("2026-11", content)
        problem = export.sync().problem
        assert problem is not None
        assert "manifest" in problem["detail"] or problem["field"] == "executionId"


def test_a_bucket_that_is_not_there_or_may_not_be_read_makes_the_job_wait(export: Export) -> None:
    job = export.sync(bucket="nowhere-at-all")
    assert (job.ended_at, job.problem) == (None, None)  # another worker tries it again later


def test_a_prefix_without_an_export_tells_of_nothing(export: Export) -> None:
    assert export.sync(prefix="other").result == {"periods": [], "unchanged": 0}
