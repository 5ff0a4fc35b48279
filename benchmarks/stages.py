"""Where one admission's time goes: reviews put to the door in this process, and each stage timed as it is entered.

A stage is timed from within the door by standing in for the function that makes it: what a stage takes is what it
takes itself, without the stages that it calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import orjson

import governance.admission.admit as admitting
import governance.admission.facts as facts_of
from benchmarks.client import pod
from benchmarks.figures import ROUNDS_MIN, Samples
from benchmarks.hospital import CLUSTER, NAMESPACE
from governance.bootstrap import Parts
from webhooks.kubernetes import review, routes

STAGES = ("parse", "translate", "facts", "policy", "decide", "write and commit", "answer")
WHOLE = "one admission"
# The rest of `admit` is the decision and what leads to it; the rest of the door is its answer.
_PLACES: Mapping[str, Sequence[tuple[ModuleType, str]]] = {
    "parse": [(review, "parse")],
    "translate": [(routes, "request_of")],
    "facts": [(facts_of, "read")],
    "write and commit": [(admitting, "reserve")],
    "decide": [(routes, "admit")],
}


@dataclass(slots=True)
class Stopwatch:
    """Seconds by stage, one entry for each admission."""

    taken: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in (*STAGES, WHOLE)})
    _now: dict[str, float] = field(default_factory=dict)
    _within: list[float] = field(default_factory=list)

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed as a stage."""

        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (any function)
            began = time.perf_counter()
            self._within.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter() - began
                inside = self._within.pop()
                self._now[stage] = self._now.get(stage, 0.0) + took - inside
                if self._within:
                    self._within[-1] += took

        return call

    def lap(self) -> None:
        """One admission has ended."""
        for stage in STAGES:
            self.taken[stage].append(self._now.get(stage, 0.0))
        self.taken[WHOLE].append(sum(self._now.values()))
        self._now.clear()


@contextmanager
def watched(parts: Parts) -> Iterator[tuple[Callable[[bytes], bytes], Stopwatch]]:
    """The door of these parts, and a watch on its stages."""
    watch = Stopwatch()
    door = parts.door()
    with ExitStack() as stack:
        for stage, places in _PLACES.items():
            for module, name in places:
                stack.enter_context(patch.object(module, name, watch.timed(stage, getattr(module, name))))
        policy = type(parts.policy)
        stack.enter_context(patch.object(policy, "evaluate", watch.timed("policy", policy.evaluate)))
        answer = watch.timed("answer", lambda body: routes.answer(door, CLUSTER, body))
        yield answer, watch


def measure(
    parts: Mapping[str, Parts], *, rounds: int, count: int, seconds_max: float
) -> dict[str, dict[str, list[Samples]]]:
    """Measure these installations in every round, starting with another one each time.

    Args:
        seconds_max: no round beyond the fifth begins later than this.

    Returns:
        by installation, by stage, a list of rounds: seconds of each admission.
    """
    names = list(parts)
    found: dict[str, dict[str, list[Samples]]] = {name: {stage: [] for stage in (*STAGES, WHOLE)} for name in names}
    for name in names:
        admit_all(parts[name], "warm", count)
    ends = time.monotonic() + seconds_max
    for number in range(rounds):
        if number >= ROUNDS_MIN and time.monotonic() > ends:
            break
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            for stage, seconds in admit_all(parts[name], f"r{number}", count).items():
                found[name][stage].append(seconds)
    return found


def admit_all(parts: Parts, prefix: str, count: int) -> Mapping[str, Samples]:
    """Admit so many pods, one after the other: seconds by stage. Raises AssertionError if one is refused."""
    with watched(parts) as (answer, watch):
        for number in range(count):
            answered = orjson.loads(answer(review_of(prefix, number)))
            watch.lap()
            assert answered["response"]["allowed"], answered
    return watch.taken


def review_of(prefix: str, number: int) -> bytes:
    """A review of a pod's creation, as an API server sends it."""
    name, uid = f"{prefix}-{number}", str(uuid4())
    made = pod(name)
    made["metadata"] |= {"uid": uid, "namespace": NAMESPACE, "creationTimestamp": "2026-01-01T00:00:00Z"}
    managed = {"manager": "bench", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
    made["metadata"]["managedFields"] = [managed]
    toleration = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    made["spec"] |= {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
        "tolerations": [{"key": f"node.kubernetes.io/{key}", **toleration} for key in ("not-ready", "unreachable")],
    }
    made["status"] = {"phase": "Pending", "qosClass": "Burstable"}
    kind = {"group": "", "version": "v1"}
    request = {
        "uid": str(uuid4()),
        "kind": {**kind, "kind": "Pod"},
        "resource": {**kind, "resource": "pods"},
        "requestKind": {**kind, "kind": "Pod"},
        "requestResource": {**kind, "resource": "pods"},
        "name": name,
        "namespace": NAMESPACE,
        "operation": "CREATE",
        "userInfo": {"username": "okafor", "groups": ["system:authenticated"]},
        "object": made,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return orjson.dumps({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})
