"""Cost lines sent in, and months reckoned anew."""

from __future__ import annotations

from pathlib import Path as File
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from billing.api.asked import Importer, MonthPath
from billing.jobs import ALLOCATE, IMPORT_FOCUS, SYNC_AWS
from billing.store import Store
from governance.api.visible import require_everywhere
from governance.audit.log import record
from governance.db.session import transaction
from governance.errors import BadInput
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal
from governance.jobs.work import submit
from governance.units import Period

router = APIRouter(tags=["billing"])

_SOURCE = r"^[a-z0-9][-a-z0-9.]{0,62}$"
Source = Annotated[
    str,
    Query(pattern=_SOURCE, description="Your own name for where the lines come from: aws-main."),
]
FileName = Annotated[str, Query(pattern=r"^[^\x00-\x1f/\\]{1,200}$", description="What the file is called.")]
_BINARY = {"type": "string", "format": "binary", "minLength": 1}
_FILE = {"required": True, "content": {"application/octet-stream": {"schema": _BINARY}}}


class Asked(BaseModel):
    """The job that does it."""

    job: UUID


class AwsExport(BaseModel):
    """Where an export lies: `prefix` down to its own name. `source`: your own name for it."""

    model_config = ConfigDict(extra="forbid")

    source: Annotated[str, Field(pattern=_SOURCE)]
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]$")]
    prefix: Annotated[str, Field(pattern=r"^[-A-Za-z0-9_./!*'()]{1,500}$")]


@router.post("/billing/imports", status_code=202, openapi_extra={"requestBody": _FILE})
async def import_focus(request: Request, source: Source, file: FileName, principal: Importer) -> Asked:
    """Send a file of cost lines as FOCUS describes it (CSV, plain or gzip). A job imports it: all of it, or nothing."""
    require_everywhere(principal, Permission.BILLING_IMPORT)
    store = Store(request.app.state.settings.billing.folder)
    name = uuid4().hex
    place = await run_in_threadpool(store.incoming, name)
    try:
        await _receive(request, place)
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    asked = {"incoming": name, "name": file, "source": source}
    told = {"name": file, "source": source}
    return await run_in_threadpool(_submit, request, principal, IMPORT_FOCUS, asked, "billing.upload", told)


@router.post("/billing/sync/aws", status_code=202)
def sync_aws(request: Request, export: AwsExport, principal: Importer) -> Asked:
    """Import what is new in a FOCUS export of AWS on S3 (Data Exports). A job does it, with the worker's rights."""
    require_everywhere(principal, Permission.BILLING_IMPORT)
    asked = export.model_dump()
    return _submit(request, principal, SYNC_AWS, asked, "billing.sync", asked)


@router.post("/billing/months/{month}/allocate", status_code=202)
def allocate(request: Request, month: MonthPath, principal: Importer) -> Asked:
    """Settle and allocate a month anew, by the rules in force. A job does it."""
    require_everywhere(principal, Permission.BILLING_IMPORT)
    asked = {"period": str(Period.parse(month))}
    return _submit(request, principal, ALLOCATE, asked, "billing.allocate", asked)


async def _receive(request: Request, place: File) -> None:
    with place.open("wb") as writing:
        async for part in request.stream():
            await run_in_threadpool(writing.write, part)
        if not writing.tell():
            raise BadInput("The file is empty.", field="body", remedy="Send the file as the provider made it.")


def _submit(
    request: Request,
    principal: Principal,
    kind: str,
    parameters: dict[str, str],
    action: str,
    told: dict[str, str],
) -> Asked:
    state = request.app.state
    now = state.clock()
    with transaction(state.engine) as session:
        job = submit(session, kind, parameters, principal.person_id, now)
        where = {"request_id": request_id_of(request), "at": now}
        record(session, principal.name, action, "job", str(job.id), after=told, **where)
        return Asked(job=job.id)
