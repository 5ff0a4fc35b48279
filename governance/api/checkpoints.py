"""Checkpoints: sent in by programs and people, signed by attestors."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from sqlmodel import col, select

from governance.api.pages import IdCursor, Limit, Page, page_of, read_id
from governance.compliance.attestation import PAYLOAD_TYPE
from governance.compliance.record import Sender
from governance.compliance.record import record as use_case
from governance.compliance.tables import CheckpointRecord
from governance.db.session import reading
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal

router = APIRouter(tags=["checkpoints"])

Recorder = Annotated[Principal, Depends(requires(Permission.CHECKPOINT_RECORD))]
Reader = Annotated[Principal, Depends(requires(Permission.CHECKPOINT_READ))]
Digest = Annotated[str, Query(pattern="^(sha256:[0-9a-f]{64})?$", description="Of the image: sha256:...")]
Type = Annotated[str, Query(pattern="^[-a-z0-9.]{0,63}$", description="A type, such as vuln-scan.")]
_ENVELOPE = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["payload", "payloadType", "signatures"],
                "properties": {
                    "payload": {"type": "string", "description": "Base64 of an in-toto Statement; see checkpoints.md."},
                    "payloadType": {"const": PAYLOAD_TYPE},
                    "signatures": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["sig"],
                            "properties": {"keyid": {"type": "string"}, "sig": {"type": "string"}},
                        },
                    },
                },
            }
        }
    },
}


class CheckpointShown(BaseModel):
    """A checkpoint as it was recorded. `attestor` signed it, `evidence` names what it rests on."""

    id: UUID
    type: str
    digest: str
    result: str
    at: datetime
    until: datetime | None
    control: str
    resource: str
    policy_digest: str
    waiver: str
    evidence: list[Any]
    attestor: str
    recorded_at: datetime


@router.post(
    "/checkpoints",
    status_code=201,
    responses={200: {"model": CheckpointShown, "description": "The same was recorded before."}},
    openapi_extra={"requestBody": _ENVELOPE},
)
async def record(request: Request, response: Response, principal: Recorder) -> CheckpointShown:
    """Record a checkpoint: a DSSE envelope with an in-toto Statement. The same one again changes nothing."""
    content = await request.body()
    state = request.app.state
    sender = Sender(principal.person_id, principal.name, request_id_of(request))
    done = await run_in_threadpool(use_case, state.engine, content, sender, state.clock())
    if done.known:
        response.status_code = 200
    return _shown(done.row)


@router.get("/checkpoints")
def checkpoints(
    request: Request,
    _: Reader,
    digest: Digest = "",
    type: Type = "",  # noqa: A002  (as the field is called)
    limit: Limit = 50,
    cursor: IdCursor = "",
) -> Page[CheckpointShown]:
    """Checkpoints, the one recorded last first; of one digest, or of one type."""
    query = select(CheckpointRecord).order_by(col(CheckpointRecord.id).desc()).limit(limit + 1)
    if digest:
        query = query.where(CheckpointRecord.digest == digest)
    if type:
        query = query.where(CheckpointRecord.type == type)
    if before := read_id(cursor):
        query = query.where(col(CheckpointRecord.id) < before)
    with reading(request.app.state.engine) as session:
        return page_of(session.exec(query).all(), limit, lambda one: str(one.id), _shown)


def _shown(row: CheckpointRecord) -> CheckpointShown:
    return CheckpointShown(**{name: getattr(row, name) for name in CheckpointShown.model_fields})
