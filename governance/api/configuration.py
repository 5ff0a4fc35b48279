"""Plan, apply and read the configuration."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import col, select

from governance.api.pages import Limit, NumberCursor, Page, page_of, read_number
from governance.api.visible import require_everywhere
from governance.configuration import apply as use_case
from governance.configuration.in_force import items_at, revision_in_force
from governance.configuration.model import API_VERSION, Applied, InvalidConfiguration, Plan, SourceFile
from governance.configuration.tables import ConfigRevision
from governance.db.session import reading
from governance.errors import NotFound
from governance.http.permissions import requires
from governance.http.problems import MEDIA_TYPE, problem_of, request_id_of
from governance.identity.model import Permission, Principal
from governance.identity.tables import Person

router = APIRouter(tags=["configuration"])

Planner = Annotated[Principal, Depends(requires(Permission.CONFIGURATION_PLAN))]
Administrator = Annotated[Principal, Depends(requires(Permission.CONFIGURATION_APPLY))]
Reader = Annotated[Principal, Depends(requires(Permission.CONFIGURATION_READ))]

_NUMBER_MAX = 2**31 - 1


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class File(_Body):
    """A file: YAML manifests (`.yaml`, `.yml`) or a calendar (`.ics`)."""

    name: Annotated[str, Field(min_length=1, max_length=500, description="Relative to the folder.")]
    text: str


class Files(_Body):
    """The whole configuration: what is not in these files is deleted by an apply."""

    files: Annotated[list[File], Field(max_length=1001)]


class Application(Files):
    """Files to apply. `base`: apply only if this revision is still in force."""

    base: Annotated[int | None, Field(ge=0, le=_NUMBER_MAX)] = None
    deletes: Annotated[bool, Field(description="Whether what the files leave out may be deleted.")] = False


class FieldShown(BaseModel):
    """A field's value before and after; null where there is none."""

    field: str
    before: Any
    after: Any


class DifferenceShown(BaseModel):
    """What an apply does to one manifest: create, update or delete."""

    action: str
    kind: str
    name: str
    fields: list[FieldShown]


class PlanShown(BaseModel):
    """What an apply would do, against the revision `base`."""

    base: int
    digest: str
    changes: list[DifferenceShown]
    unchanged: int


class AppliedShown(PlanShown):
    """What an apply did. `revision` is in force now; it is `base` when nothing changed."""

    revision: int


class RevisionShown(BaseModel):
    """One apply."""

    number: int
    applied_at: datetime
    applied_by: str | None
    digest: str
    changes: list[dict[str, Any]]


class ManifestShown(BaseModel):
    """A manifest as it is in force, or was in the revision that was asked for."""

    apiVersion: str  # noqa: N815  (as it stands in the files)
    kind: str
    metadata: dict[str, str]
    spec: dict[str, Any]


@router.post("/configuration/plan", response_model=PlanShown)
def plan(request: Request, body: Files, principal: Planner) -> PlanShown | JSONResponse:
    """What applying these files would change. Nothing is written."""
    require_everywhere(principal, Permission.CONFIGURATION_PLAN)
    try:
        made = use_case.plan(request.app.state.engine, _sources(body))
    except InvalidConfiguration as error:
        return _refused(request, error)
    return PlanShown(**_plan(made))


@router.post("/configuration/apply", response_model=AppliedShown)
def apply(request: Request, body: Application, principal: Administrator) -> AppliedShown | JSONResponse:
    """Make these files the configuration in force: all of them, or, when anything is wrong, nothing."""
    require_everywhere(principal, Permission.CONFIGURATION_APPLY)
    applier = use_case.Applier(principal.person_id, principal.name, request_id_of(request))
    state = request.app.state
    try:
        done: Applied = use_case.apply(
            state.engine, _sources(body), applier, state.clock(), base=body.base, deletes=body.deletes
        )
    except InvalidConfiguration as error:
        return _refused(request, error)
    return AppliedShown(**_plan(done.plan), revision=done.revision)


@router.get("/configuration/revisions")
def revisions(request: Request, _: Reader, cursor: NumberCursor = "", limit: Limit = 50) -> Page[RevisionShown]:
    """Every apply, the newest first."""
    before = read_number(cursor)
    query = select(ConfigRevision, Person.name).outerjoin(Person, col(Person.id) == col(ConfigRevision.applied_by))
    if before is not None:
        query = query.where(col(ConfigRevision.number) < before)
    with reading(request.app.state.engine) as session:
        rows = session.exec(query.order_by(col(ConfigRevision.number).desc()).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: str(row[0].number), lambda row: _revision(*row))


@router.get("/configuration/revisions/{number}/manifests")
def manifests_of(
    request: Request, _: Reader, number: Annotated[int, Path(ge=0, le=_NUMBER_MAX)]
) -> list[ManifestShown]:
    """Every manifest as that revision left it."""
    with reading(request.app.state.engine) as session:
        if number > revision_in_force(session):
            raise NotFound(f"There is no revision {number}.", field="number")
        return _manifests(items_at(session, number), None)


@router.get("/configuration/manifests")
def manifests(
    request: Request, _: Reader, kind: Annotated[str | None, Query(max_length=100)] = None
) -> list[ManifestShown]:
    """Every manifest in force, by kind and name."""
    with reading(request.app.state.engine) as session:
        return _manifests(items_at(session), kind)


def _sources(body: Files) -> list[SourceFile]:
    return [SourceFile(one.name, one.text.encode("utf-8", "surrogatepass")) for one in body.files]


def _plan(made: Plan) -> dict[str, Any]:
    return {
        "base": made.base,
        "digest": made.digest,
        "unchanged": made.unchanged,
        "changes": [
            DifferenceShown(
                action=one.action,
                kind=one.kind,
                name=one.name,
                fields=[FieldShown(field=each.field, before=each.before, after=each.after) for each in one.fields],
            )
            for one in made.differences
        ],
    }


def _refused(request: Request, error: InvalidConfiguration) -> JSONResponse:
    """A problem document in which each error has its file and line."""
    document = problem_of(error, request_id_of(request)).document()
    document["errors"] = [
        {
            "field": one.field,
            "location": "body",
            "detail": one.detail,
            "file": one.file,
            "line": one.line,
            "remedy": one.remedy,
        }
        for one in error.problems
    ]
    return JSONResponse(document, error.status, media_type=MEDIA_TYPE)


def _revision(row: ConfigRevision, person: str | None) -> RevisionShown:
    return RevisionShown(
        number=row.number, applied_at=row.applied_at, applied_by=person, digest=row.digest, changes=row.changes
    )


def _manifests(items: dict[tuple[str, str], dict[str, Any]], kind: str | None) -> list[ManifestShown]:
    return [
        ManifestShown(apiVersion=API_VERSION, kind=key[0], metadata={"name": key[1]}, spec=spec)
        for key, spec in items.items()
        if kind in {None, key[0]}
    ]
