from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from regopy import Input, Interpreter

from governance.errors import PolicyUnavailable
from governance.policy import bundle, question
from governance.policy.embedded import Embedded
from tests.policy.cases import CASES
from tests.policy.documents import sample


def test_sixteen_threads_get_the_answers_that_one_gets() -> None:
    engine = Embedded(bundle.load(), timeout_ms=30_000, size=3)
    expected = [engine.evaluate(case.document) for case in CASES]
    together = Barrier(16)

    def run(offset: int) -> int:
        together.wait(timeout=10)
        for place in range(len(CASES)):
            at = (place + offset) % len(CASES)
            assert engine.evaluate(CASES[at].document) == expected[at], CASES[at].name
        return len(CASES)

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(run, range(16))) == 16 * len(CASES)


def test_an_evaluation_that_gets_no_turn_in_time_is_no_answer() -> None:
    engine = Embedded(bundle.load(), timeout_ms=50, size=1)
    over = Event()
    busy = engine._workers.submit(over.wait, 30)
    try:
        with pytest.raises(PolicyUnavailable, match=r"not evaluated within 0\.05 s"):
            engine.evaluate(sample())
    finally:
        over.set()
    assert busy.result(timeout=10)


def test_an_evaluation_that_fails_leaves_the_engine_well() -> None:
    engine = Embedded(bundle.load(), timeout_ms=1000, size=1)
    too_deep: list[object] = []
    for _ in range(200):
        too_deep = [too_deep]
    with pytest.raises(PolicyUnavailable):
        engine.evaluate(sample(level={"requests.cpu": 2**64}))
    deep = engine.evaluate(sample(freezes=too_deep))
    assert "freeze" not in deep.checks
    assert engine.evaluate(sample()).checks == engine.rules.keys()


def test_a_document_that_is_too_long_is_not_evaluated() -> None:
    document = sample()
    document["request"]["images"] = ["x" * 100] * (question.DOCUMENT_BYTES_MAX // 100)
    with pytest.raises(PolicyUnavailable, match=f"at most {question.DOCUMENT_BYTES_MAX}"):
        Embedded(bundle.load(), timeout_ms=1000, size=1).evaluate(document)


class TestWhatRegopyDoes:
    """Why input goes in as JSON text. A release of regopy that fails one of these may allow something simpler."""

    def ask(self, value: object, *, as_text: bool) -> str:
        interpreter = Interpreter()
        interpreter.add_module("echo.rego", "package echo\n\nvalue := input.value\n")
        plan = interpreter.build("x = data.echo.value")
        if as_text:
            interpreter.set_input_term(json.dumps({"value": value}))
        else:
            interpreter.set_input(Input({"value": value}))
        return str(interpreter.query_bundle(plan)[0]["x"])

    def test_a_value_in_python_is_cut_at_64_bits_and_one_in_text_is_not(self) -> None:
        assert self.ask(2**70, as_text=False) == "0"
        assert self.ask(2**70, as_text=True) == str(2**70)

    def test_a_text_in_python_breaks_out_of_the_answer_and_one_in_text_does_not(self) -> None:
        with pytest.raises(json.JSONDecodeError):
            self.ask('"', as_text=False)
        assert self.ask('"', as_text=True) == '"'
