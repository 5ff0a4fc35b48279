from __future__ import annotations

import json

import pytest

from governance.errors import PolicyUnavailable
from governance.policy import question


def test_a_document_is_exact_json() -> None:
    document = {"a": [1, -1, 2**64 - 1, True, None, 'ü"\\\n'], "b": {}}
    assert json.loads(question.encode(document)) == document


@pytest.mark.parametrize("value", [0.5, 1.0, 1e300, float("inf"), float("nan"), 2**64, -(2**64), object(), "\ud800"])
def test_what_engines_would_read_differently_is_refused(value: object) -> None:
    with pytest.raises(PolicyUnavailable):
        question.encode({"a": {"b": [value]}})


def test_a_document_without_end_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(PolicyUnavailable):
        question.encode({"a": loop})


def test_a_document_deeper_than_python_reads_is_refused() -> None:
    deep: list[object] = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(PolicyUnavailable):
        question.encode({"a": deep})
