"""Checkpoints: signed statements taken in, and what was recorded for a digest."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from sqlmodel import col, select

from governance.api.pages import IdCursor, Limit, Page, page_of, read_id
from governance.compliance import attestation, record
from governance.compliance.model import DIGEST_PATTERN, TYPE_PATTERN
from governance.compliance.tables import CheckpointRow
from governance.db.session import reading
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal

router = APIRouter(tags=["checkpoints"])

Recorder = Annotated[Principal, Depends(requires(Permission.CHECKPOINT_RECORD))]
Reader = Annotated[Principal, Depends(requires(Permission.CHECKPOINT_READ))]
Digest = Annotated[str | None, Query(pattern=f"^{DIGEST_PATTERN}$", description="Of what was checked.")]
Type = Annotated[str | None, Query(pattern=f"^{TYPE_PATTERN}$", description="Of checkpoint: vuln-scan.")]

_BASE64 = {"type": "string", "contentEncoding": "base64", "minLength": 4}
_ENVELOPE = {
    "type": "object",
    "description": "A DSSE envelope around an in-toto Statement v1, as docs/checkpoints.md describes it.",
    "required": ["payloadType", "payload", "signatures"],
    "properties": {
        "payloadType": {"const": attestation.PAYLOAD_TYPE},
        "payload": _BASE64,
        "signatures": {
            "type": "array",
            "minItems": 1,
            "maxItems": attestation.SIGNATURES_MAX,
            "items": {
                "type": "object",
                "required": ["sig"],
                "properties": {"keyid": {"type": "string"}, "sig": _BASE64},
            },
        },
    },
}
_BODY = {"required": True, "content": {"application/json": {"schema": _ENVELOPE}}}


class EvidenceShown(BaseModel):
    """A file that the result was read from, by name and SHA-256."""

    name: str
    sha256: str


class CheckpointShown(BaseModel):
    """A recorded checkpoint. `at` and `until` are the attestor's; `until` is null where it ends by age alone."""

    id: UUID
    type: str
    result: str
    digest: str
    resource: str
    control: str
    policy_digest: str
    attestor: str
    key_id: str
    at: datetime
    until: datetime | None
    waiver: str
    evidence: list[EvidenceShown]
    statement_digest: str
    recorded_at: datetime


@router.post(
    "/checkpoints",
    status_code=201,
    openapi_extra={"requestBody": _BODY},
    responses={200: {"description": "The same statement was recorded before.", "model": CheckpointShown}},
)
async def record_checkpoint(request: Request, response: Response, principal: Recorder) -> CheckpointShown:
    """Record a signed checkpoint. The attestor that it names must be in force, and allowed for its type."""
    body = await request.body()
    made = await run_in_threadpool(_record, request, principal, body)
    response.status_code = 201 if made.new else 200
    return _shown(made.row)


def _record(request: Request, principal: Principal, body: bytes) -> record.Recorded:
    state = request.app.state
    return record.record(
        state.engine,
        body,
        person_id=principal.person_id,
        actor=principal.name,
        age_max=timedelta(hours=state.settings.checkpoints.statement_hours_max),
        request_id=request_id_of(request),
    )


@router.get("/checkpoints")
def list_checkpoints(
    request: Request,
    _principal: Reader,
    digest: Digest = None,
    type: Type = None,  # noqa: A002  (the parameter's name)
    cursor: IdCursor = "",
    limit: Limit = 50,
) -> Page[CheckpointShown]:
    """What was recorded, the newest first."""
    query = select(CheckpointRow)
    if digest is not None:
        query = query.where(CheckpointRow.digest == digest)
    if type is not None:
        query = query.where(CheckpointRow.type == type)
    before = read_id(cursor)
    if before is not None:
        query = query.where(col(CheckpointRow.id) < before)
    with reading(request.app.state.engine) as session:
        rows = session.exec(query.order_by(col(CheckpointRow.id).desc()).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: str(row.id), _shown)


def _shown(row: CheckpointRow) -> CheckpointShown:
    values: dict[str, Any] = {name: getattr(row, name) for name in CheckpointShown.model_fields}
    return CheckpointShown(**values)
