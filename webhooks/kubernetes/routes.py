"""The door that API servers call: bytes in, one use case, bytes out. The answer is always a valid AdmissionReview."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import Counter, Histogram

from governance.admission import sentences
from governance.admission.admit import WITHIN_S, admit
from governance.admission.governed import governed
from governance.admission.judge import Admission
from governance.admission.model import Decision
from governance.db.types import new_id
from governance.errors import GovernanceError
from governance.policy.model import Finding
from webhooks.kubernetes import review
from webhooks.kubernetes.surroundings import Surroundings
from webhooks.kubernetes.translate import request_of

_SECONDS = Histogram(
    "governance_admission_seconds",
    "Time from the whole review to its answer.",
    ["outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_DENIALS = Counter("governance_denials_total", "Violations told, by code.", ["code"])

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """What the door needs, made once at start. `around`: the surroundings of a cluster by its name."""

    admission: Admission
    around: Callable[[str], Surroundings]
    body_bytes_max: int


async def _whole_body(request: Request, limit: int) -> bytes:
    """The body, as far as one byte over the limit: what is longer is refused by its length, not read to its end."""
    parts: list[bytes] = []
    length = 0
    async for part in request.stream():
        parts.append(part)
        length += len(part)
        if length > limit:
            break
    return b"".join(parts)


def router() -> APIRouter:
    """The routes of this door: plain ones, for what FastAPI does about arguments costs as much as a translation."""
    routes = APIRouter()
    routes.add_route("/kubernetes/{cluster}/admit", _admit_review, methods=["POST"])
    return routes


async def _admit_review(request: Request) -> Response:
    door: Door = request.app.state.door
    ends = time.monotonic() + WITHIN_S
    body = await _whole_body(request, door.body_bytes_max)
    content = await run_in_threadpool(answer, door, request.path_params["cluster"], body, ends)
    return Response(content, media_type="application/json")


def answer(door: Door, cluster: str, body: bytes, ends: float | None = None) -> bytes:
    """Answer a review: what was read is decided, and whatever fails denies.

    Args:
        cluster: the name under which the API server's cluster is known.
        body: the review, or what was sent in its place.
        ends: when nobody waits for the answer any more, on the monotonic clock; by default as `admit` has it.
    """
    read = review.parse(body, body_bytes_max=door.body_bytes_max)
    if isinstance(read, review.Unreadable):
        _log.warning("a review could not be read", cluster=cluster, reason=str(read.error))
        return review.deny_for(read.uid, read.error)
    started = time.perf_counter()
    try:
        decision = _decide(door, cluster, read, ends)
    except GovernanceError as error:
        return review.deny_for(read.uid, error)
    except Exception:  # noqa: BLE001  (whatever fails denies, with an id under which the log tells why)
        error_id = str(new_id())
        _log.exception("a review could not be decided", cluster=cluster, error_id=error_id)
        text = sentences.sentence(Finding("failed", {"error_id": error_id}))
        return review.deny(read.uid, text, code=500)
    _SECONDS.labels(decision.outcome).observe(time.perf_counter() - started)
    _count(decision)
    return _verdict(read.uid, decision)


def _decide(door: Door, cluster: str, read: review.Review, ends: float | None) -> Decision:
    asked = request_of(read, cluster, door.around(cluster))
    if not governed(asked):
        return Decision(id=new_id(), outcome="allow")
    return admit(door.admission, asked, ends)


def _count(decision: Decision) -> None:
    for code in {one.code for one in decision.violations}:
        _DENIALS.labels(code).inc()


def _verdict(uid: str, decision: Decision) -> bytes:
    audit: Mapping[str, str] = {"decision": str(decision.id)} if decision.violations or decision.charge_id else {}
    if decision.allowed:
        return review.allow(uid, warnings=decision.sentences, audit=audit)
    return review.deny(uid, " ".join(decision.sentences), audit=audit)
