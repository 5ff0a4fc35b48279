"""Bills over the API: cost lines sent in, and how charges were settled with them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path as File
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from sqlmodel import Session, col, select

from billing.jobs import IMPORT_FOCUS
from billing.store import Store
from governance.admission.tables import DecisionRow
from governance.api.visible import nodes_under
from governance.audit.log import record
from governance.db.session import reading, transaction
from governance.errors import BadInput, NotFound
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal
from governance.identity.organisation import node_named
from governance.jobs.work import submit
from governance.quota.settlements import Settled, settled_at
from governance.units import Period

router = APIRouter(tags=["billing"])

Importer = Annotated[Principal, Depends(requires(Permission.BILLING_IMPORT))]
Reader = Annotated[Principal, Depends(requires(Permission.BILLING_READ))]
Source = Annotated[
    str,
    Query(pattern=r"^[a-z0-9][-a-z0-9.]{0,62}$", description="Your own name for where the lines come from: aws-main."),
]
FileName = Annotated[str, Query(pattern=r"^[^\x00-\x1f/\\]{1,200}$", description="What the file is called.")]
Node = Annotated[str, Query(min_length=1, max_length=100, description="A department's or project's name, or an id.")]
Month = Annotated[str, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="A month: 2026-11.")]
_FILE = {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


class Import(BaseModel):
    """The job that imports what was sent."""

    job: UUID


class SettledShown(BaseModel):
    """A charge of a month: what it was foretold to cost, what it cost, and by whose decision it came to be.

    `actual` is what is charged back (EffectiveCost), `billed` what ties to the invoice (BilledCost); amounts are
    decimal numbers as text. `decision` and `asked_by` are null where nobody decided: it was there before this service.
    """

    charge: UUID
    kind: str
    name: str
    resource: str
    machine: str
    currency: str
    estimate: str
    billed: str
    actual: str
    difference: str
    lines: int
    billed_through: datetime | None
    state: str
    decision: UUID | None
    asked_by: str | None


@router.post("/billing/imports", status_code=202, openapi_extra={"requestBody": _FILE})
async def import_focus(request: Request, source: Source, file: FileName, principal: Importer) -> Import:
    """Send a file of cost lines as FOCUS describes it (CSV, plain or gzip). A job imports it: all of it, or nothing."""
    store = Store(request.app.state.settings.billing.folder)
    name = uuid4().hex
    place = await run_in_threadpool(store.incoming, name)
    try:
        await _receive(request, place)
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    return await run_in_threadpool(_submit, request, principal, {"incoming": name, "name": file, "source": source})


async def _receive(request: Request, place: File) -> None:
    with place.open("wb") as writing:
        async for part in request.stream():
            await run_in_threadpool(writing.write, part)
        if not writing.tell():
            raise BadInput("The file is empty.", field="body", remedy="Send the file as the provider made it.")


def _submit(request: Request, principal: Principal, parameters: dict[str, str]) -> Import:
    state = request.app.state
    now = state.clock()
    with transaction(state.engine) as session:
        job = submit(session, IMPORT_FOCUS, parameters, principal.person_id, now)
        told = {name: parameters[name] for name in ("name", "source")}
        where = {"request_id": request_id_of(request), "at": now}
        record(session, principal.name, "billing.upload", "job", str(job.id), after=told, **where)
        return Import(job=job.id)


@router.get("/billing/settlements")
def settlements(request: Request, node: Node, month: Month, principal: Reader) -> list[SettledShown]:
    """How the charges of a department or project were settled in a month, the dearest first. It is audited."""
    state = request.app.state
    period = str(Period.parse(month))
    with reading(state.engine) as session:
        wanted = node_named(session, node)
        if wanted.id not in nodes_under(session, principal, Permission.BILLING_READ):
            raise NotFound(f"There is no department or project {node}.", field="node")
        rows = settled_at(session, wanted.id, period)
        decided = _decisions(session, [one.charge.decision_id for one in rows if one.charge.decision_id])
    with transaction(state.engine) as session:
        where = {"request_id": request_id_of(request), "at": state.clock()}
        record(session, principal.name, "billing.read", "settlements", f"{wanted.name}/{period}", **where)
    return [_shown(one, decided.get(one.charge.decision_id)) for one in rows]


def _decisions(session: Session, ids: list[UUID]) -> dict[UUID | None, str]:
    return dict(session.exec(select(DecisionRow.id, DecisionRow.actor).where(col(DecisionRow.id).in_(ids))).all())


def _shown(one: Settled, asked_by: str | None) -> SettledShown:
    return SettledShown(
        charge=one.charge.id,
        kind=one.charge.kind,
        name=one.charge.native_id,
        resource=one.resource,
        machine=one.machine,
        currency=one.currency,
        estimate=_text(one.estimate),
        billed=_text(one.billed),
        actual=_text(one.actual),
        difference=_text(one.difference),
        lines=one.lines,
        billed_through=one.billed_through,
        state=one.state,
        decision=one.charge.decision_id if asked_by is not None else None,
        asked_by=asked_by,
    )


def _text(amount: Decimal) -> str:
    return f"{amount:f}"
