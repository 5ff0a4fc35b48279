"""An engine's raw answer, checked to the last field. Pure. What is not exactly an answer is no answer."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import astuple
from typing import Any

from governance.errors import PolicyUnavailable
from governance.policy.model import Evaluation, Finding, Need

ENTRIES_MAX = 1000  # of each kind; a request has a handful

_Object = dict[str, Any]


def parse(raw: object, codes: Collection[str]) -> Evaluation:
    """Check the entrypoint's result.

    Args:
        raw: what the engine gave for `data.governance.admission`.
        codes: the codes of the rules in force; findings and checks may name no other.

    Returns:
        the evaluation; findings and needs in one order, whatever the engine's.

    Raises:
        PolicyUnavailable: the result is undefined, or anything in it is not as it must be.
    """
    if not isinstance(raw, dict) or raw.keys() != {"violations", "warnings", "approvals", "checks"}:
        raise _nonsense("is not an object of violations, warnings, approvals and checks")
    return Evaluation(
        violations=_findings(raw, "violations", codes),
        warnings=_findings(raw, "warnings", codes),
        approvals=tuple(sorted((_need(one) for one in _objects(raw, "approvals")), key=astuple)),
        checks=_checks(_entries(raw, "checks"), codes),
    )


def _entries(raw: _Object, name: str) -> list[Any]:
    entries = raw[name]
    if not isinstance(entries, list) or len(entries) > ENTRIES_MAX:
        raise _nonsense(f"has {name} that are no list of at most {ENTRIES_MAX}")
    return entries


def _objects(raw: _Object, name: str) -> list[_Object]:
    entries = _entries(raw, name)
    if not all(isinstance(one, dict) for one in entries):
        raise _nonsense(f"has {name} that are no objects")
    return entries


def _findings(raw: _Object, name: str, codes: Collection[str]) -> tuple[Finding, ...]:
    found = [_finding(one, codes) for one in _objects(raw, name)]
    return tuple(sorted(found, key=lambda one: (one.code, json.dumps(one.values, sort_keys=True))))


def _finding(one: _Object, codes: Collection[str]) -> Finding:
    code = one.get("code")
    if not isinstance(code, str) or code not in codes:
        raise _nonsense(f"has a finding of the unknown code {code!r:.80}")
    values = {name: value for name, value in one.items() if name != "code"}
    if not all(value is None or isinstance(value, str | int) for value in values.values()):
        raise _nonsense(f"has a finding of {code} whose values are no texts or integers")
    return Finding(code, values)


def _need(one: _Object) -> Need:
    if one.keys() != {"rule", "group", "minimum", "deny_minimum"}:
        raise _nonsense("has an approval that is not rule, group, minimum and deny_minimum")
    texts, counts = (one["rule"], one["group"]), (one["minimum"], one["deny_minimum"])
    if not all(isinstance(text, str) and text for text in texts) or not all(_is_count(count) for count in counts):
        raise _nonsense("has an approval without a rule, a group, or counts of at least one")
    return Need(*texts, *counts)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _checks(entries: list[Any], codes: Collection[str]) -> frozenset[str]:
    names = [one for one in entries if isinstance(one, str) and one in codes]
    if len(names) != len(entries):
        raise _nonsense("has a check of an unknown code")
    return frozenset(names)


def _nonsense(what: str) -> PolicyUnavailable:
    return PolicyUnavailable(f"The policy engine's answer {what}.", remedy="Compare its policies with this release's.")
