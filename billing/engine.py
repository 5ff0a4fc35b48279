"""The engine of the bill: Ibis on DuckDB, in this process, with no network. Sums and joins only (LEDGER.md,
"Exactness"): DECIMAL / DECIMAL is a DOUBLE there, so what is divided is divided in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
from ibis.expr.types import Table

from billing.columns import CHARGE_TAG, COLUMNS, CURRENCY, PATTERNS, Column

MONEY = "decimal(38, 12)"
TAGS = "map<string, string>"
_INSTANCE = "^i-[0-9a-f]+$"

Backend = Any  # Ibis makes its backends at run time
EngineError = duckdb.Error
AWS = ("AWS", "Amazon Web Services", "Amazon Web Services, Inc.")
AZURE = ("Microsoft", "Microsoft Azure", "Azure")


def connect() -> Backend:
    """A new engine, for one piece of work. It reads and writes files, and loads nothing from elsewhere."""
    backend = ibis.duckdb.connect()
    for setting in ("autoinstall_known_extensions = false", "autoload_known_extensions = false", "TimeZone = 'UTC'"):
        backend.raw_sql(f"SET {setting}")
    return backend


def read_text(backend: Backend, file: Path) -> Table:
    """A file of rows (CSV, plain or gzip, or Parquet), every value as text, with the number of each row from 1 on.

    Raises EngineError for what is neither.
    """
    if is_parquet(file):
        rows: Table = backend.read_parquet(str(file))
        rows = rows.mutate(**{name: _as_text(rows[name]) for name in rows.columns})
    else:
        rows = backend.read_csv(
            str(file), header=True, all_varchar=True, nullstr=["NULL", ""], strict_mode=True, normalize_names=False
        )
    return rows.mutate(row=ibis.row_number() + 1)


def is_parquet(file: Path) -> bool:
    """Whether a file says that it is Parquet (its first four bytes, as Apache Parquet has them)."""
    with file.open("rb") as start:
        return start.read(4) == b"PAR1"


def _as_text(value: Any) -> Any:  # noqa: ANN401
    return value.cast("json").cast("string") if value.type().is_map() else value.cast("string")


def together(each: Sequence[Table]) -> Table:
    """The lines of several files as one."""
    return each[0] if len(each) == 1 else ibis.union(*each)


def read_lines(backend: Backend, files: Sequence[Path]) -> Table:
    """Lines as `typed` made them and `write` stored them, of one file or several; `file` tells of which."""
    return together([backend.read_parquet(str(one)).mutate(file=ibis.literal(one.stem)) for one in files])


def is_wrong(column: Column, value: Any) -> Any | None:  # noqa: ANN401  (Ibis expressions)
    """Whether a value cannot be read; None: any can."""
    if column.kind == "text":
        unreadable = ~value.re_search(CURRENCY) if column.name == "BillingCurrency" else None
    elif column.kind == "tags":
        unreadable = value.try_cast("json").try_cast(TAGS).isnull()
    else:
        unreadable = ~value.re_search(PATTERNS[column.kind]) | value.try_cast(_type(column)).isnull()
    wrong = None if unreadable is None else value.notnull() & unreadable
    if not column.required:
        return wrong
    return value.isnull() if wrong is None else value.isnull() | wrong


def typed(rows: Table, names: dict[str, str]) -> Table:
    """Rows of text as lines of a bill, with what we read out of them: the provider, the resource as `charge_resource`
    names it, and the charge that it says is its own.

    Args:
        names: what the file calls each column of ours that it has.
    """
    found = {one.name: _value(one, rows[names[one.name]]) for one in COLUMNS if one.name in names}
    missing = {one.name: ibis.null(_type(one)) for one in COLUMNS if one.name not in names}
    lines = rows.select(line=rows.row, **found, **missing)
    is_aws, is_azure = lines.ProviderName.isin(AWS), lines.ProviderName.isin(AZURE)
    return lines.mutate(
        provider=ibis.cases((is_aws, "aws"), (is_azure, "azure"), else_=""),
        resource_key=ibis.cases(
            (is_azure, lines.ResourceId.lower()),
            (is_aws & lines.ResourceId.re_search(_INSTANCE), _arn(lines)),
            else_=lines.ResourceId,
        ),
        charge_tag=tag(lines, CHARGE_TAG),
    )


def apart(lines: Table, links: pa.Table) -> tuple[Table, Table]:
    """The lines that belong to a charge, with `charge`, and all others.

    A line belongs to the charge that it names in a tag; else to the one that paid for its resource when its charge
    period began, or, if none did yet, to the first that did before it ended. One line belongs to one charge.

    Args:
        links: provider, resource_key, charge, valid_from, valid_to (null: it is still there); times in UTC.
    """
    known = ibis.memtable(links)
    names = lines.charge_tag.notnull() & lines.charge_tag.isin(known.charge)
    named = lines.filter(names).mutate(charge=ibis._.charge_tag)
    unnamed = lines.filter(~names)
    candidate = unnamed.resource_key.notnull() & unnamed.resource_key.isin(known.resource_key)
    joined = (
        unnamed.filter(candidate)
        .join(known, ["provider", "resource_key"])
        .filter(
            (ibis._.valid_from < ibis._.ChargePeriodEnd)
            & (ibis._.valid_to.isnull() | (ibis._.valid_to > ibis._.ChargePeriodStart))
        )
    )
    began = joined.valid_from <= joined.ChargePeriodStart
    since = joined.valid_from.epoch_seconds()
    order = [began.desc(), ibis.ifelse(began, -since, since)]
    ranked = joined.mutate(rank=ibis.row_number().over(group_by=["file", "line"], order_by=order))
    found = ranked.filter(ranked["rank"] == 0).select(*lines.columns, "charge")
    rest = unnamed.filter(candidate).anti_join(found, ["file", "line"])
    return found.union(named.select(*lines.columns, "charge")), rest.union(unnamed.filter(~candidate))


def linked(backend: Backend, lines: Table, links: pa.Table) -> list[dict[str, Any]]:
    """What the lines of each charge add up to, by charge and currency. `links`: as `apart` takes them."""
    found, _ = apart(lines, links)
    sums = found.group_by("charge", currency=found.BillingCurrency).aggregate(
        billed=found.BilledCost.sum(),
        effective=found.EffectiveCost.sum(),
        lines=found.count(),
        billed_through=found.ChargePeriodEnd.max(),
    )
    rows: list[dict[str, Any]] = backend.to_pyarrow(sums.order_by("charge", "currency")).to_pylist()
    return rows


def tag(lines: Table, key: str) -> Any:  # noqa: ANN401
    """The value of a tag; null where a line has none of this key."""
    return lines.Tags.get(key)


def wrong_periods(lines: Table) -> dict[str, tuple[Any, str, str]]:
    """By the field that is told: which lines cannot be, why, and what to do."""
    start, end = lines.BillingPeriodStart, lines.BillingPeriodEnd
    month = (start == start.truncate("M")) & (end == start + ibis.interval(months=1))
    return {
        "BillingPeriodStart": (~month, "the billing period is not a month in UTC", "Export it by calendar months."),
        "ChargePeriodEnd": (
            lines.ChargePeriodEnd <= lines.ChargePeriodStart,
            "the charge period ends before it begins",
            "The end is exclusive, and after the start.",
        ),
        "ChargePeriodStart": (
            lines.ChargePeriodStart >= end,
            "the charge begins after its billing period has ended",
            "It belongs into a later bill.",
        ),
    }


def count_where(rows: Table, conditions: Mapping[str, Any]) -> dict[str, int]:
    """How many rows each condition holds for, in one look at all of them."""
    counts = rows.aggregate(**{name: one.ifelse(1, 0).sum() for name, one in conditions.items()})
    return {name: int(values[0] or 0) for name, values in counts.to_pyarrow().to_pydict().items()}


def count(rows: Table) -> int:
    """How many rows there are."""
    return int(rows.count().to_pyarrow().as_py())


def totals(lines: Table) -> dict[str, dict[str, dict[str, Decimal]]]:
    """What was billed and what is to be charged back, by billing period (2026-11) and currency."""
    sums = lines.group_by(period=lines.BillingPeriodStart.strftime("%Y-%m"), currency=lines.BillingCurrency).aggregate(
        billed=lines.BilledCost.sum(), effective=lines.EffectiveCost.sum()
    )
    found: dict[str, dict[str, dict[str, Decimal]]] = {}
    for one in sums.order_by("period", "currency").to_pyarrow().to_pylist():
        found.setdefault(one["period"], {})[one["currency"]] = {"billed": one["billed"], "effective": one["effective"]}
    return found


def write(lines: Table, period: str, place: Path) -> None:
    """Write the lines of a billing period as Parquet, in the order of the file that they came from."""
    lines.filter(lines.BillingPeriodStart.strftime("%Y-%m") == period).order_by("line").to_parquet(str(place))


def _arn(lines: Table) -> Any:  # noqa: ANN401
    """What `webhooks.cloud.happening.arn_of_instance` makes of an instance's id."""
    return (
        ibis.literal("arn:aws:ec2:")
        + lines.RegionId.fill_null("")
        + ":"
        + lines.SubAccountId.fill_null("")
        + ":instance/"
        + lines.ResourceId
    )


def _type(column: Column) -> str:
    return {"text": "string", "tags": TAGS, "money": MONEY, "number": MONEY, "time": "timestamp(6)"}[column.kind]


def _value(column: Column, value: Any) -> Any:  # noqa: ANN401
    if column.kind == "text":
        return value
    return (value.cast("json") if column.kind == "tags" else value).cast(_type(column))
