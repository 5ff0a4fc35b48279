"""What a person reads of a decision. Rules answer codes and values; the sentences are written here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from governance.admission.model import Decision
from governance.policy.model import Finding, Rule
from governance.units import show_amount

_Values = Mapping[str, Any]


def _headroom(values: _Values) -> str:
    resource = values["resource"]
    numbers = {name: show_amount(resource, values[name]) for name in ("requested", "used", "limit")}
    return (
        f"{resource}: requested {numbers['requested']}, used {numbers['used']}, limit {numbers['limit']} "
        f"of {values['node']} (rule {values['rule'] or 'headroom'})"
    )


def _approval(values: _Values) -> str:
    return f"this change needs an approval at {values['node']} (rule {values['rule']})"


def _freeze(values: _Values) -> str:
    ends = _moment(values["ends_at_s"])
    return f"changes are frozen until {ends}: {values['summary']} (calendar {values['calendar']})"


def _placement(values: _Values) -> str:
    where = values.get("location") or "an unknown location"
    return f"latency-sensitive clinical workloads run on premises only, and cluster {values['cluster']} is in {where}"


def _checkpoint_missing(values: _Values) -> str:
    return (
        f"image {values['image']} has no {values['type']} for its digest, which {values['node']} requires; "
        f"{_record(values)}"
    )


def _checkpoint_failed(values: _Values) -> str:
    return (
        f"the newest {values['type']} of image {values['image']} failed ({_moment(values['at_s'])}), "
        f"and {values['node']} requires a passed one; run an image that passes"
    )


def _checkpoint_expired(values: _Values) -> str:
    return (
        f"the {values['type']} of image {values['image']} passed, but holds no longer than "
        f"{_moment(values['valid_until_s'])} for {values['node']}; check it again, and {_record(values)}"
    )


def _image_without_digest(values: _Values) -> str:
    return (
        f"image {values['image']} is named by a tag alone, and {values['node']} requires a {values['type']}, "
        "which is of a digest; name the image with @sha256:"
    )


def _record(values: _Values) -> str:
    return f"record one: governance checkpoint record --type {values['type']} --digest {values['digest']}"


def _moment(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"


def _money(micro: int) -> str:
    return f"{Decimal(micro).scaleb(-6):,.2f}"


def _budget(values: _Values) -> str:
    amounts = {name: f"{_money(values[name])} {values['currency']}" for name in ("exposure", "budget")}
    return (
        f"{values['node']} comes to {amounts['exposure']} this month, of a budget of {amounts['budget']} "
        f"(as of {_moment(values['as_of_s'])}, rule {values['rule']})"
    )


_SENTENCES: Mapping[str, Callable[[_Values], str]] = {
    "headroom": _headroom,
    "approval": _approval,
    "budget": _budget,
    "budget-approval": _budget,
    "freeze": _freeze,
    "placement": _placement,
    "checkpoint-missing": _checkpoint_missing,
    "checkpoint-failed": _checkpoint_failed,
    "checkpoint-expired": _checkpoint_expired,
    "image-without-digest": _image_without_digest,
    "check-missing": lambda values: f"the check {values['check']} was not evaluated, so nothing new is admitted",
    "namespace-unbound": lambda values: (
        f"namespace {values['namespace']} of cluster {values['cluster']} is bound to no project; "
        "a platform engineer can bind it with a NamespaceBinding"
    ),
    "cluster-unknown": lambda values: (
        f"cluster {values['cluster']} is not in the configuration; "
        "a platform engineer can add it with a Cluster manifest"
    ),
    "account-unbound": lambda values: (
        f"what is in account {values['account']} is bound to no project; "
        "a platform engineer can bind it with a CloudBinding"
    ),
    "account-unknown": lambda values: (
        f"account {values['account']} is not in the configuration; "
        "a platform engineer can add it with an AwsAccount or AzureSubscription manifest"
    ),
    "workload-unknown": lambda values: (
        f"what {values['kind']} {values['name']} takes is not known ({values['reason']}), so it is not admitted; "
        "repeat the request in a minute"
    ),
    "policy-unavailable": lambda values: (
        f"the policy engine gave no answer ({values['reason']}), so nothing new is admitted"
    ),
    "database-unavailable": lambda values: (
        f"the ledger gave no answer ({values['reason']}), so nothing new is admitted"
    ),
    "overloaded": lambda _: "this service is overloaded, so nothing new is admitted; repeat the request",
    "contended": lambda _: "the ledger kept changing while this request was decided; repeat the request",
    "failed": lambda values: f"this request could not be decided (error {values['error_id']}); nothing was admitted",
}


def sentence(finding: Finding) -> str:
    """One finding in words; a code without a sentence of its own is told with its values."""
    write = _SENTENCES.get(finding.code)
    if write is not None:
        return write(finding.values)
    values = ", ".join(f"{name} {value}" for name, value in sorted(finding.values.items()))
    return f"{finding.code}: {values}" if values else finding.code


def message(decision: Decision, rules: Mapping[str, Rule], link: str) -> str:
    """The whole denial in one message: what, requested, used, limit, by which rule, and what to do next.

    Args:
        link: where an exception can be asked for; empty if there is none, or (a dry run) not yet.
    """
    what = "; ".join(sentence(one) for one in decision.violations)
    if link:
        return f"{what}. To ask for an exception, open {link}"
    if decision.askable:
        return f"{what}. An exception can be asked for: the answer to the real request holds the link."
    codes = dict.fromkeys(one.code for one in decision.violations if one.code in rules)
    solutions = [text if text.endswith(".") else f"{text}." for code in codes if (text := rules[code].solution)]
    return " ".join([f"{what}.", *solutions])


def link(decision: Decision, public_url: str) -> str:
    """Where a person can ask for the change that was denied. Opening it changes nothing."""
    return f"{public_url.rstrip('/')}/ask/{decision.id}"
