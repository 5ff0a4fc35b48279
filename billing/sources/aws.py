"""FOCUS exports of AWS (Data Exports) on S3: by their manifests, never by what else lies there, for snapshots stay.

Source: AWS Data Exports user guide, "Understanding export delivery":
`PREFIX/EXPORT/metadata/BILLING_PERIOD=YYYY-MM/EXPORT-Manifest.json` names the files of one execution (`executionId`,
`dataFiles`, `columns`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from governance.errors import Unavailable
from governance.jobs.work import Refused
from governance.strict_json import load

_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "adaptive", "max_attempts": 8})
_MANIFEST = re.compile(r"/metadata/BILLING_PERIOD=([12][0-9]{3}-(?:0[1-9]|1[0-2]))/[^/]+-Manifest\.json$", re.ASCII)
_MANIFEST_BYTES_MAX = 4 * 1024**2
_DEPTH_MAX = 10
_FILES_MAX = 10_000

Client = Any  # boto3 makes its clients at run time


class AwsUnavailable(Unavailable):
    title = "AWS does not answer"


@dataclass(frozen=True, slots=True)
class Execution:
    """One month of an export, as its manifest says. `objects`: bucket and key of each data file."""

    period: str
    execution_id: str
    manifest: str
    objects: tuple[tuple[str, str], ...]


def client() -> Client:
    """A client of S3, with credentials and address as boto3 finds them. Raises AwsUnavailable."""
    with _answered("S3 cannot be asked"):
        return boto3.client("s3", config=_CONFIG)


def executions(s3: Client, bucket: str, prefix: str) -> list[Execution]:
    """What the manifests below a prefix say, a month each, in order.

    Args:
        prefix: down to the export's own name: `cost/hospital-focus`.

    Raises:
        AwsUnavailable: it does not answer, or may not be asked.
        Refused: a manifest that names no files, or files elsewhere.
    """
    below = f"{prefix.strip('/')}/metadata/"
    with _answered(f"The export at s3://{bucket}/{prefix} could not be listed"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=below)
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
    found = [(match[1], key) for key in keys if (match := _MANIFEST.search(f"/{key}"))]
    return [_execution(s3, bucket, period, key, f"{prefix.strip('/')}/") for period, key in sorted(found)]


def fetch(s3: Client, execution: Execution, folder: Path) -> list[Path]:
    """Download the files of an execution, in order. Raises AwsUnavailable; a file is there whole, or not at all."""
    found = []
    for number, (bucket, key) in enumerate(execution.objects):
        place = folder / f"{number:05}-{Path(key).name}"
        with _answered(f"s3://{bucket}/{key} could not be read"):
            s3.download_file(bucket, key, str(place))
        found.append(place)
    return found


def _execution(s3: Client, bucket: str, period: str, key: str, prefix: str) -> Execution:
    with _answered(f"s3://{bucket}/{key} could not be read"):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read(_MANIFEST_BYTES_MAX + 1)
    name = f"s3://{bucket}/{key}"
    document = load(body[: _MANIFEST_BYTES_MAX + 1], "manifest", _DEPTH_MAX)
    execution_id, files = document.get("executionId", ""), document.get("dataFiles")
    if not isinstance(execution_id, str) or not execution_id:
        raise _wrong(name, "executionId", "it is missing")
    if not isinstance(files, list) or not 1 <= len(files) <= _FILES_MAX:
        raise _wrong(name, "dataFiles", "it names no files")
    return Execution(period, execution_id, name, tuple(_object(one, name, bucket, prefix) for one in files))


def _object(file: object, name: str, bucket: str, prefix: str) -> tuple[str, str]:
    """Where a file is that a manifest names. What lies outside the export is not fetched, whoever wrote it there."""
    match = re.fullmatch(r"s3://([^/]+)/(.+)", file) if isinstance(file, str) else None
    if match is None:
        raise _wrong(name, "dataFiles", f"{str(file)[:200]!r} is no file on S3")
    if match[1] != bucket or not match[2].startswith(prefix):
        raise _wrong(name, "dataFiles", f"{file} lies outside of the export")
    return match[1], match[2]


def _wrong(manifest: str, field: str, detail: str) -> Refused:
    problem = {"file": manifest, "line": 0, "field": field, "detail": f"{detail}.", "remedy": "Look at the export."}
    return Refused(f"{manifest}: {field}: {detail}.", [problem], remedy="Look at the export; nothing was imported.")


@contextmanager
def _answered(what: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AwsUnavailable(f"{what}: {error}", remedy="Look at the credentials and rights of the worker.") from None
