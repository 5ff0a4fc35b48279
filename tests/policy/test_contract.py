"""One table, and every engine held to it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from governance.errors import PolicyUnavailable
from governance.policy.factory import health
from governance.policy.model import Evaluation, PolicyEngine
from tests.policy.cases import (
    ALL,
    ASKED,
    ASKED_FOR_MONEY,
    BY_TAG,
    CASES,
    CLOUD,
    EXPIRED,
    FAILED,
    FROZEN,
    IN_CLOUD,
    MISSING,
    NOW_S,
    OVER,
    TAGGED,
    UNSOUND,
    Case,
    over,
    spent,
)
from tests.policy.documents import Document, budget, checkpoint, freeze, rule, sample, unchecked


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_engine_gives_the_expected_evaluation(policy_engine: PolicyEngine, case: Case) -> None:
    assert policy_engine.evaluate(case.document) == Evaluation(case.violations, (), case.approvals, ALL)


@pytest.mark.parametrize("case", UNSOUND, ids=lambda case: case.name)
def test_a_rule_whose_facts_are_malformed_is_a_missing_check(policy_engine: PolicyEngine, case: Case) -> None:
    assert policy_engine.evaluate(case.document).checks == ALL - case.missing


def test_every_rule_is_an_expected_check(policy_engine: PolicyEngine) -> None:
    assert policy_engine.rules.keys() == ALL
    assert {code for code, one in policy_engine.rules.items() if not one.exception} == {
        "budget",
        "image-without-digest",
        "placement",
    }


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), 2**64, "\ud800", {1, 2}, b"x"], ids=["fraction", "nan", "huge", "text", "set", "bytes"]
)
def test_a_fact_that_engines_would_read_differently_is_not_evaluated(
    policy_engine: PolicyEngine, value: object
) -> None:
    with pytest.raises(PolicyUnavailable, match="policy document"):
        policy_engine.evaluate(sample(level={"requests.cpu": value}))


def test_a_well_engine_says_so(policy_engine: PolicyEngine) -> None:
    found = health(policy_engine)
    assert found.ready, found.detail
    assert found.digest == policy_engine.digest


DENIED = {
    "headroom": (sample(quota=OVER), over()),
    "approval": (sample(approval_rules=[rule()]), ASKED),
    "freeze": (sample(freezes=[freeze()]), FROZEN),
    "placement": (sample(cluster=CLOUD), IN_CLOUD),
    "budget": (sample(budgets=[budget()]), spent("budget")),
    "budget-approval": (ASKED_FOR_MONEY, spent("budget-approval")),
    "checkpoint-missing": (sample(checkpoints=[unchecked()]), MISSING),
    "checkpoint-failed": (sample(checkpoints=[checkpoint(result="fail")]), FAILED),
    "checkpoint-expired": (sample(checkpoints=[checkpoint(valid_until_s=NOW_S)]), EXPIRED),
    "image-without-digest": (sample(checkpoints=[BY_TAG]), TAGGED),
}
JUNK: tuple[object, ...] = (None, True, -1, "", "x", [], ["x"], {}, {"x": "x"})
FREE_NAMES = {"labels", "above", "images"}


@pytest.mark.parametrize("code", DENIED)
def test_no_malformed_fact_turns_a_denial_into_an_allow(policy_engine: PolicyEngine, code: str) -> None:
    document, finding = DENIED[code]
    assert policy_engine.evaluate(document).violations == (finding,)
    tried = 0
    for where, malformed in _malformed(document):
        assert not _allows(policy_engine, malformed), where
        tried += 1
    assert tried > 200


def _allows(policy_engine: PolicyEngine, document: Document) -> bool:
    try:
        evaluation = policy_engine.evaluate(document)
    except PolicyUnavailable:
        return False
    return not evaluation.violations and evaluation.checks == ALL


def _malformed(document: Document) -> Iterator[tuple[str, Document]]:
    """The document with each fact in turn taken away, or replaced by each kind of junk that it is not."""
    for path in _paths(document):
        *above, last = path
        if isinstance(last, str) and not FREE_NAMES & set(above):
            yield f"without {path}", _edited(document, path, take=True)
        for junk in JUNK:
            if _is_malformed(_at(document, path), junk, last):
                yield f"{path} = {junk!r}", _edited(document, path, junk)


def _is_malformed(value: object, junk: object, name: object) -> bool:
    if junk is None:
        return name not in {"limit", "grant", "valid_until_s"} and value is not None
    if value is None:
        return name != "limit" or junk != -1
    same = type(value) is type(junk)
    return not same or junk == -1 or (junk == "" and name in {"environment", "department", "kind", "node", "resource"})


def _paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield (*path, name)
        yield from _paths(child, (*path, name))


def _at(document: Any, path: tuple[str | int, ...]) -> object:  # noqa: ANN401  (JSON)
    for name in path:
        document = document[name]
    return document


def _edited(document: Document, path: tuple[str | int, ...], value: object = None, *, take: bool = False) -> Document:
    edited: Any = copy.deepcopy(document)
    place: Any = _at(edited, path[:-1])
    if take:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return edited  # type: ignore[no-any-return]  # JSON
