from __future__ import annotations

from typing import Any

import pytest

from governance.errors import PolicyUnavailable
from governance.policy import answer
from governance.policy.model import Evaluation, Finding, Need

CODES = {"freeze", "headroom"}
NEED = {"rule": "large", "group": "board", "minimum": 1, "deny_minimum": 1}


def raw(**changes: object) -> dict[str, Any]:
    return {"violations": [], "warnings": [], "approvals": [], "checks": ["freeze", "headroom"], **changes}


def test_an_answer_becomes_an_evaluation_in_one_order() -> None:
    findings = [{"code": "headroom", "node": "b"}, {"code": "headroom", "node": "a"}, {"code": "freeze", "until": 1}]
    needs = [NEED, {**NEED, "group": "a"}]
    expected = Evaluation(
        violations=(
            Finding("freeze", {"until": 1}),
            Finding("headroom", {"node": "a"}),
            Finding("headroom", {"node": "b"}),
        ),
        warnings=(Finding("freeze", {"limit": None}),),
        approvals=(Need("large", "a", 1, 1), Need("large", "board", 1, 1)),
        checks=frozenset({"headroom"}),
    )
    warnings = [{"code": "freeze", "limit": None}]
    whole = raw(violations=findings, warnings=warnings, approvals=needs, checks=["headroom"])
    assert answer.parse(whole, CODES) == expected
    turned = raw(violations=findings[::-1], warnings=warnings, approvals=needs[::-1], checks=["headroom"])
    assert answer.parse(turned, CODES) == expected


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        True,
        "allow",
        [],
        {},
        {**raw(), "allow": True},
        {name: value for name, value in raw().items() if name != "violations"},
        {name: value for name, value in raw().items() if name != "checks"},
        raw(violations=None),
        raw(violations={}),
        raw(violations="none"),
        raw(violations=[None]),
        raw(violations=["freeze"]),
        raw(violations=[{}]),
        raw(violations=[{"code": 1}]),
        raw(violations=[{"code": ["freeze"]}]),
        raw(violations=[{"code": "frost"}]),
        raw(violations=[{"code": "freeze", "until": 1.5}]),
        raw(violations=[{"code": "freeze", "until": [1]}]),
        raw(violations=[{"code": "freeze"}] * (answer.ENTRIES_MAX + 1)),
        raw(warnings=[{"code": "frost"}]),
        raw(checks=None),
        raw(checks={"freeze": True}),
        raw(checks="freeze"),
        raw(checks=["frost"]),
        raw(checks=[["freeze"]]),
        raw(checks=[1]),
        raw(approvals=[{}]),
        raw(approvals=[{**NEED, "more": 1}]),
        raw(approvals=[{**NEED, "group": ""}]),
        raw(approvals=[{**NEED, "rule": 1}]),
        raw(approvals=[{**NEED, "minimum": 0}]),
        raw(approvals=[{**NEED, "minimum": True}]),
        raw(approvals=[{**NEED, "minimum": 1.0}]),
        raw(approvals=[{**NEED, "deny_minimum": "1"}]),
    ],
)
def test_what_is_not_exactly_an_answer_is_no_answer(nonsense: object) -> None:
    with pytest.raises(PolicyUnavailable, match="answer"):
        answer.parse(nonsense, CODES)
