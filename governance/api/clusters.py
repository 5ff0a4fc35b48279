"""The clusters that ask: how they stand, and what an administrator does when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from governance.api.visible import require_everywhere
from governance.api.words import Sentence
from governance.db.session import reading, transaction
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal
from governance.operations import rebuild as rebuilding
from governance.operations import switch
from governance.operations.clusters import Standing, standing, standings

router = APIRouter(tags=["clusters"])

Reader = Annotated[Principal, Depends(requires(Permission.OPERATIONS_READ))]
Administrator = Annotated[Principal, Depends(requires(Permission.OPERATIONS_ACT))]
Name = Annotated[str, Path(min_length=1, max_length=253, description="As its Cluster manifest says.")]

_MINUTES_MAX = 366 * 24 * 60


class Reason(BaseModel):
    """Why; it stands in the audit log."""

    model_config = ConfigDict(extra="forbid")

    reason: Sentence


class WarnFor(Reason):
    """For how long the cluster warns: at most what the setting `operations.warn_hours_max` allows."""

    minutes: Annotated[int, Field(ge=1, le=_MINUTES_MAX)]


class WarnedShown(BaseModel):
    """A switch to warn that holds."""

    until: datetime
    by: str
    reason: str


class ClusterShown(BaseModel):
    """How a cluster stands, by the database's clock.

    `mode` is the one in force: observe, enforce or warn. `followed_by` is null while nobody follows the cluster.
    `relisted_at` is when everything that exists was charged, last. `overdue` counts objects that were admitted, never
    seen, and not ruled on in time.
    """

    name: str
    mode: str
    warned: WarnedShown | None
    followed_by: str | None
    followed_until: datetime | None
    relisted_at: datetime | None
    epoch: int
    overdue: int


class RebuiltShown(ClusterShown):
    """The cluster after a rebuild. `voided` names the changes whose grants are void."""

    voided: list[str]


@router.get("/clusters")
def list_clusters(request: Request, principal: Reader) -> list[ClusterShown]:
    """Every cluster, by name."""
    require_everywhere(principal, Permission.OPERATIONS_READ)
    with reading(request.app.state.engine) as session:
        return [_shown(one) for one in standings(session)]


@router.get("/clusters/{name}")
def show(request: Request, name: Name, principal: Reader) -> ClusterShown:
    """One cluster."""
    require_everywhere(principal, Permission.OPERATIONS_READ)
    with reading(request.app.state.engine) as session:
        return _shown(standing(session, name))


@router.post("/clusters/{name}/warn")
def warn(request: Request, name: Name, body: WarnFor, principal: Administrator) -> ClusterShown:
    """Let the cluster warn, and deny nothing, for a stated time; then it enforces again by itself."""
    longest = timedelta(hours=request.app.state.settings.operations.warn_hours_max)
    time = timedelta(minutes=body.minutes)
    with _acting(request, principal) as (session, request_id):
        return _shown(switch.warn(session, name, time, body.reason, principal, longest=longest, request_id=request_id))


@router.post("/clusters/{name}/enforce")
def enforce(request: Request, name: Name, body: Reason, principal: Administrator) -> ClusterShown:
    """Let the cluster enforce from now on."""
    with _acting(request, principal) as (session, request_id):
        return _shown(switch.enforce(session, name, body.reason, principal, request_id=request_id))


@router.post("/clusters/{name}/rebuild")
def rebuild(request: Request, name: Name, body: Reason, principal: Administrator) -> RebuiltShown:
    """Begin anew after a restore: the cluster observes, and denies nothing, until everything that exists is charged."""
    with _acting(request, principal) as (session, request_id):
        made = rebuilding.rebuild(session, name, body.reason, principal, request_id=request_id)
        return RebuiltShown(**_shown(made.standing).model_dump(), voided=list(made.voided))


@contextmanager
def _acting(request: Request, principal: Principal) -> Iterator[tuple[Session, str]]:
    """A transaction of somebody who may act on clusters; it is committed before the answer leaves."""
    require_everywhere(principal, Permission.OPERATIONS_ACT)
    with transaction(request.app.state.engine) as session:
        yield session, request_id_of(request)


def _shown(one: Standing) -> ClusterShown:
    return ClusterShown.model_validate(one, from_attributes=True)
