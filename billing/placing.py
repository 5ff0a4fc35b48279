"""Where each line of a bill belongs, as one expression over all of them, and what comes together there.

A line belongs to the charge that it settles; else where the first rule that matches it says; else where the binding of
its account says, a tag before a resource group before the whole account; else to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def grouped(
    backend: engine.Backend,
    lines: Table,
    links: pa.Table,
    rules: Mapping[str, AllocationRule],
    bindings: Iterable[BoundAccount],
    projects: Sequence[str],
) -> list[dict[str, Any]]:
    """What lines that are alike add up to, with `how` they found their place (charge, rule, tag, binding, or nothing)
    and `place`: the charge, rule or binding; for a rule by tag also `project`.

    Args:
        links: as `engine.linked` takes them.
        rules: by name, the first to hold first.
        projects: the names that a tag may say.
    """
    by_charge, others = engine.apart(lines, links)
    placed = _placed(others, rules, list(bindings), projects).union(
        by_charge.select(
            *_SUMS, *_ALIKE.values(), how=ibis.literal(CHARGE), place=by_charge.charge, project=ibis.literal("")
        )
    )
    keys = {name: ibis.coalesce(placed[column], "") for name, column in _ALIKE.items()}
    sums = placed.group_by("how", "place", "project", **keys).aggregate(**_sums(placed))
    found: list[dict[str, Any]] = backend.to_pyarrow(sums).to_pylist()
    return found


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


def _placed(
    lines: Table, rules: Mapping[str, AllocationRule], bindings: Sequence[BoundAccount], projects: Sequence[str]
) -> Table:
    hows: list[tuple[Any, str]] = []
    places: list[tuple[Any, str]] = []
    named: list[tuple[Any, Any]] = []
    for name, rule in rules.items():
        holds = _matches(lines, rule.match)
        if rule.project_tag is not None:
            value = engine.tag(lines, rule.project_tag)
            holds &= value.isin(projects)
            named.append((holds, value))
        else:
            named.append((holds, ibis.literal("")))
        hows.append((holds, TAG if rule.project_tag is not None else RULE))
        places.append((holds, name))
    for binding in sorted(bindings, key=lambda one: (-len(one.part), "group" in one.part, one.name)):
        holds = _is_bound(lines, binding)
        hows.append((holds, BINDING))
        places.append((holds, binding.name))
    return lines.select(
        *_SUMS,
        *_ALIKE.values(),
        how=_first(hows),
        place=_first(places),
        project=_first(named),
    )


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
