"""Where each line of a bill belongs, as one expression over all of them, and what comes together there.

A line belongs to the charge that it settles; else where the first rule that matches it says; else where the binding of
its account says, a tag before a resource group before the whole account; else to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from billing import engine
from governance.configuration.specs_billing import AllocationRule, LineMatch

CHARGE, RULE, TAG, BINDING = "charge", "rule", "tag", "binding"
_ALIKE = {
    "issuer": "InvoiceIssuerName",
    "provider": "ProviderName",
    "currency": "BillingCurrency",
    "service": "ServiceName",
    "category": "ChargeCategory",
}
_TOLD = {
    "issuer": "InvoiceIssuerName",
    "currency": "BillingCurrency",
    "invoice": "InvoiceId",
    "category": "ChargeCategory",
    "commitment": "CommitmentDiscountStatus",
}


@dataclass(frozen=True, slots=True)
class BoundAccount:
    """A binding of an account or subscription: `part` as its row has it (`key` and `value`, `group`, or nothing)."""

    name: str
    provider: str
    account: str
    part: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Placing:
    """By what lines find their place. `links`: as `engine.apart` takes them; `rules`: by name, the first to hold first;
    `projects`: the names that a tag may say."""

    links: pa.Table
    rules: Mapping[str, AllocationRule]
    bindings: Sequence[BoundAccount]
    projects: Sequence[str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where lines belong that are alike: what `grouped` tells of them, without the sums."""

    how: str
    place: str
    project: str
    issuer: str
    provider: str
    currency: str
    service: str
    category: str


def grouped(backend: engine.Backend, lines: Table, by: Placing) -> list[dict[str, Any]]:
    """What lines that are alike add up to, with `how` they found their place (charge, rule, tag, binding, or nothing)
    and `place`: the charge, rule or binding; for a rule by tag also `project`."""
    placed = _placed(lines, by)
    keys = {name: ibis.coalesce(placed[column], "") for name, column in _ALIKE.items()}
    sums = placed.group_by("how", "place", "project", **keys).aggregate(**_sums(placed))
    found: list[dict[str, Any]] = backend.to_pyarrow(sums).to_pylist()
    return found


def behind(backend: engine.Backend, lines: Table, by: Placing, place: Place, limit: int) -> list[dict[str, Any]]:
    """The lines that belong there, the dearest first."""
    placed = _placed(lines, by)
    same = [placed[name] == getattr(place, name) for name in ("how", "place", "project")]
    same += [ibis.coalesce(placed[column], "") == getattr(place, name) for name, column in _ALIKE.items()]
    found = placed.filter(*same).order_by(ibis.desc("EffectiveCost"), "file", "line").limit(limit)
    rows: list[dict[str, Any]] = backend.to_pyarrow(found.select("file", "line", *_SHOWN)).to_pylist()
    return rows


_SHOWN = (
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ResourceId",
    "ResourceName",
    "SubAccountId",
    "ChargeDescription",
    "InvoiceId",
    "BilledCost",
    "EffectiveCost",
)


def told(backend: engine.Backend, lines: Table) -> list[dict[str, Any]]:
    """What the lines come to by issuer, currency, invoice, charge category and commitment: nothing of ours has touched
    them, so whatever is made of them is held against it."""
    keys = {name: ibis.coalesce(lines[column], "") for name, column in _TOLD.items()}
    sums = lines.group_by(**keys).aggregate(**_sums(lines))
    found: list[dict[str, Any]] = backend.to_pyarrow(sums.order_by(*_TOLD)).to_pylist()
    return found


_SUMS = ("BilledCost", "EffectiveCost")


def _sums(lines: Table) -> dict[str, Any]:
    return {"lines": lines.count(), "billed": lines.BilledCost.sum(), "effective": lines.EffectiveCost.sum()}


def _placed(lines: Table, by: Placing) -> Table:
    by_charge, others = engine.apart(lines, by.links)
    hows: list[tuple[Any, str]] = []
    places: list[tuple[Any, str]] = []
    named: list[tuple[Any, Any]] = []
    for name, rule in by.rules.items():
        holds = _matches(others, rule.match)
        project: Any = ibis.literal("")
        if rule.project_tag is not None:
            project = engine.tag(others, rule.project_tag)
            holds &= project.isin(by.projects)
        named.append((holds, project))
        hows.append((holds, TAG if rule.project_tag is not None else RULE))
        places.append((holds, name))
    for binding in sorted(by.bindings, key=lambda one: (-len(one.part), "group" in one.part, one.name)):
        holds = _is_bound(others, binding)
        hows.append((holds, BINDING))
        places.append((holds, binding.name))
    rest = others.mutate(how=_first(hows), place=_first(places), project=_first(named))
    settled = by_charge.mutate(how=ibis.literal(CHARGE), place=by_charge.charge, project=ibis.literal(""))
    return rest.union(settled.select(*rest.columns))


def _first(cases: list[tuple[Any, Any]]) -> Any:  # noqa: ANN401
    return ibis.cases(*cases, else_=ibis.literal("")) if cases else ibis.literal("")


def _matches(lines: Table, match: LineMatch) -> Any:  # noqa: ANN401
    equal = {
        "InvoiceIssuerName": match.issuer,
        "ProviderName": match.provider,
        "BillingAccountId": match.billing_account,
        "SubAccountId": match.account,
        "ServiceName": match.service,
        "ChargeCategory": match.category,
    }
    holds = ibis.literal(value=True)
    for column, value in equal.items():
        if value is not None:
            holds &= ibis.coalesce(lines[column], "") == value
    if match.resource_prefix is not None:
        holds &= ibis.coalesce(lines.ResourceId, "").startswith(match.resource_prefix)
    if match.tag is not None:
        value = engine.tag(lines, match.tag.key)
        holds &= value.notnull() if match.tag.value is None else ibis.coalesce(value, "") == match.tag.value
    return holds


def _is_bound(lines: Table, binding: BoundAccount) -> Any:  # noqa: ANN401
    account = ibis.coalesce(lines.SubAccountId, "").lower()  # Azure writes /subscriptions/ID, or the id alone
    holds = (lines.provider == binding.provider) & (
        (account == binding.account) | account.endswith(f"/{binding.account}")
    )
    if "key" in binding.part:
        holds &= ibis.coalesce(engine.tag(lines, binding.part["key"]), "") == binding.part["value"]
    if "group" in binding.part:
        resource = ibis.coalesce(lines.ResourceId, "").lower()
        group = f"/resourcegroups/{binding.part['group']}"
        holds &= resource.contains(f"{group}/") | resource.endswith(group)
    return holds
