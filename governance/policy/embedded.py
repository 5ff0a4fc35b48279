"""The engine in this process: regopy (rego-cpp). Nothing to install, nothing to call.

An interpreter of regopy is not safe while two threads use it, so a few are compiled at start (15 ms each) and handed to
a few workers; evaluating holds no lock of Python's. Handing them to the callers themselves was tried: under load a
caller could wait for a second while others passed it.

Input goes in as JSON text. Given as Python values, regopy 1.5.2 cuts an integer beyond 64 bits without a word, and a
text with a quote in it breaks out of the answer; tests hold both facts.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from regopy import Interpreter
from regopy.rego_shared import RegoError

from governance.errors import BadInput, PolicyUnavailable
from governance.policy import answer, bundle, question
from governance.policy.model import Evaluation, Rule

_QUERY = f"answer = data.{bundle.ENTRYPOINT}"


@dataclass(frozen=True, slots=True)
class _Compiled:
    interpreter: Any
    plan: Any


class Embedded:
    """Evaluates in this process. Safe to call from many threads: they are served first come, first served.

    Args:
        policies: what to evaluate.
        timeout_ms: how long an evaluation may take, the wait for its turn included.
        size: how many run at once; the default is one per processor, for evaluation keeps one busy.
    """

    def __init__(self, policies: bundle.Bundle, timeout_ms: int, size: int | None = None) -> None:
        self._policies = policies
        self._timeout_s = timeout_ms / 1000
        size = size or os.cpu_count() or 1
        self._idle: queue.SimpleQueue[_Compiled] = queue.SimpleQueue()
        for _ in range(size):
            self._idle.put(_compile(policies))
        self._workers = ThreadPoolExecutor(size, "policy")

    @property
    def digest(self) -> str:
        return self._policies.digest

    @property
    def rules(self) -> Mapping[str, Rule]:
        return self._policies.rules

    def evaluate(self, document: Mapping[str, Any]) -> Evaluation:
        turn = self._workers.submit(self._run, question.encode(document).decode())
        try:
            raw = turn.result(self._timeout_s)
        except TimeoutError:
            turn.cancel()
            raise PolicyUnavailable(
                f"The policies were not evaluated within {self._timeout_s:g} s.",
                remedy="Give this service more processors, or run another instance.",
            ) from None
        except (RegoError, ValueError, LookupError) as error:
            raise PolicyUnavailable(f"The policies could not be evaluated ({type(error).__name__}).") from error
        return answer.parse(raw, self.rules)

    def _run(self, text: str) -> object:
        """In a worker. There are as many interpreters as workers, so that one is always idle."""
        compiled = self._idle.get_nowait()
        try:
            compiled.interpreter.set_input_term(text)
            return compiled.interpreter.query_bundle(compiled.plan)[0]["answer"]
        finally:
            self._idle.put(compiled)


def _compile(policies: bundle.Bundle) -> _Compiled:
    interpreter = Interpreter()
    try:
        for module in policies.modules:
            interpreter.add_module(module.path, module.text)
        plan = interpreter.build(_QUERY)
    except RegoError as error:
        raise BadInput(f"The policies do not compile ({error}).", field=bundle.FIELD, remedy="Run opa check.") from None
    if not plan.ok():
        raise BadInput("The policies do not compile.", field=bundle.FIELD, remedy="Run opa check.")
    return _Compiled(interpreter, plan)
