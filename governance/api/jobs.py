"""Jobs: how far something is that takes longer than an answer may."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from governance.db.session import reading
from governance.errors import NotFound
from governance.http.permissions import requires
from governance.identity.model import Permission, Principal
from governance.jobs.tables import Job

router = APIRouter(tags=["jobs"])

Caller = Annotated[Principal, Depends(requires(Permission.PROFILE))]


class JobShown(BaseModel):
    """A job. `phase` is what is being done, `done` of `total` how far that is. Ended, it has a result, or a problem."""

    id: UUID
    kind: str
    created_at: datetime
    phase: str
    done: int
    total: int
    ended_at: datetime | None
    result: dict[str, Any] | None
    problem: dict[str, Any] | None


@router.get("/jobs/{job_id}")
def show(request: Request, job_id: UUID, principal: Caller) -> JobShown:
    """How far a job is that one has asked for oneself."""
    with reading(request.app.state.engine) as session:
        job = session.get(Job, job_id)
        if job is None or job.created_by != principal.person_id:
            raise NotFound("There is no such job of yours.", field="job_id")
        return JobShown(**job.model_dump())
