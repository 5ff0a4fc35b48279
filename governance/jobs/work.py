"""Jobs are asked for in a transaction, worked on by any worker, and followed by whoever asked.

A job whose worker dies is begun again by another, so a job must be such that doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Engine, update
from sqlmodel import Session, col

from governance.clock import Clock
from governance.db.due import claim
from governance.db.session import transaction
from governance.errors import BadInput, GovernanceError, Unavailable
from governance.jobs.tables import Job

ATTEMPTS_MAX = 5
_LEASE = timedelta(seconds=60)  # a worker that tells nothing for so long is taken for dead

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Doing:
    """A job that is being worked on, as its handler sees it."""

    engine: Engine
    id: UUID
    created_by: UUID
    parameters: Mapping[str, Any]
    now: Clock

    def tell(self, phase: str, done: int = 0, total: int = 0) -> None:
        """Say how far it is. It also says that the worker lives: tell more often than once a minute."""
        values = {"phase": phase, "done": done, "total": total, "next_attempt_at": self.now() + _LEASE}
        with transaction(self.engine) as session:
            session.execute(update(Job).where(col(Job.id) == self.id, col(Job.ended_at).is_(None)).values(**values))


Handler = Callable[[Doing], Mapping[str, Any]]
"""Does a job; answers its result. Raises BadInput where it can never be done, Unavailable where it can be later."""


def submit(session: Session, kind: str, parameters: Mapping[str, Any], by: UUID, now: datetime) -> Job:
    """Ask for a job, in the caller's transaction."""
    job = Job(kind=kind, parameters=dict(parameters), created_at=now, created_by=by, next_attempt_at=now)
    session.add(job)
    session.flush()
    return job


def work_due(engine: Engine, handlers: Mapping[str, Handler], now: Clock) -> int:
    """Do what is due, one job after the other. Returns how many ended."""
    ended = 0
    while (job := claim(engine, Job, now(), lambda _: _LEASE)) is not None:
        ended += _do(engine, job, handlers[job.kind], now)
    return ended


def _do(engine: Engine, job: Job, handler: Handler, now: Clock) -> bool:
    try:
        if job.attempts > ATTEMPTS_MAX:
            raise GovernanceError("Every worker that began the job died.", remedy="The logs of the workers tell why.")
        result, problem = handler(Doing(engine, job.id, job.created_by, job.parameters, now)), None
    except Unavailable as error:
        if job.attempts < ATTEMPTS_MAX:
            _log.warning("a job waits", kind=job.kind, job=str(job.id), reason=str(error))
            return False
        result, problem = None, problem_of(error)
    except GovernanceError as error:
        result, problem = None, problem_of(error)
    except Exception:  # noqa: BLE001  (whatever fails is told to whoever follows the job)
        _log.exception("a job failed", kind=job.kind, job=str(job.id))
        failed = GovernanceError(f"The job failed (id {job.id}).", remedy="The log of the worker tells why.")
        result, problem = None, problem_of(failed)
    values = {"result": result, "problem": problem, "ended_at": now(), "next_attempt_at": None, "phase": "ended"}
    with transaction(engine) as session:
        session.execute(update(Job).where(col(Job.id) == job.id).values(**values))
    return True


def problem_of(error: GovernanceError) -> dict[str, Any]:
    """An error as a problem document; one with many places lists them as `errors`."""
    told = {"type": error.type, "title": error.title, "status": error.status, "detail": error.detail}
    extra = {"field": error.field, "remedy": error.remedy, "errors": getattr(error, "errors", None)}
    return told | {name: value for name, value in extra.items() if value}


class Refused(BadInput):
    """A file that is refused whole. `errors`: each problem, with `file`, `line`, `field`, `detail`, `remedy`."""

    def __init__(self, detail: str, errors: list[dict[str, Any]], *, remedy: str) -> None:
        super().__init__(detail, remedy=remedy)
        self.errors = errors
