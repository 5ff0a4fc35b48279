"""The audit log, to be taken away and verified elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import Engine

from governance.api.visible import require_everywhere
from governance.audit.export import lines
from governance.audit.log import record
from governance.db.session import reading, transaction
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal

router = APIRouter(tags=["audit"])

MEDIA_TYPE = "application/jsonl"


@router.get(
    "/audit/export",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "JSON lines."}},
)
def export(
    request: Request, principal: Annotated[Principal, Depends(requires(Permission.AUDIT_READ))]
) -> StreamingResponse:
    """The whole sealed log as JSON lines, for `governance audit verify`. That it was taken stands in the log too."""
    require_everywhere(principal, Permission.AUDIT_READ)
    state = request.app.state
    with transaction(state.engine) as session:
        record(
            session,
            principal.name,
            "audit.export",
            "audit",
            "export",
            request_id=request_id_of(request),
            at=state.clock(),
        )
    return StreamingResponse(_lines(state.engine), media_type=MEDIA_TYPE)


def _lines(engine: Engine) -> Iterator[bytes]:
    with reading(engine) as session:
        yield from lines(session)
