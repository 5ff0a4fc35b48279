"""The door that clouds call: events are verified, stored once and answered; a worker makes of them what they mean.

Who sends is known by an API token of a Person with the role `service`: EventBridge sends it as an API destination's
key, Event Grid as a delivery property, each in `Authorization`. Event Grid never repeats what is answered with 400, 401
or 413 (Azure Event Grid, "Message delivery and retry"), so a token that is not good any more is answered with 403.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from pydantic import BaseModel

from governance.db.together import database_clock
from governance.errors import Forbidden, Unauthenticated
from governance.http.permissions import public, requires
from governance.identity.model import Permission, Principal
from webhooks.cloud.event import BATCHED, STRUCTURED, from_http, refuse_stale
from webhooks.cloud.inbox import store


class _Retried(APIRoute):
    """A route whose callers must not take their events for lost: a token that is not good is answered with 403."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await answer(request)
            except Unauthenticated as error:
                if "authorization" not in request.headers:
                    raise
                remedy = "Send an API token with event:send in Authorization."
                raise Forbidden(error.detail, field="Authorization", remedy=remedy) from None

        return answered


router = APIRouter(tags=["clouds"], route_class=_Retried)

Sender = Annotated[Principal, Depends(requires(Permission.EVENT_SEND))]
Origin = Annotated[str, Header(alias="WebHook-Request-Origin", pattern=r"^[\x21-\x7e]{1,253}$")]
_BODY = {"required": True, "content": {media: {"schema": {"type": "object"}} for media in (STRUCTURED, BATCHED)}}


class Stored(BaseModel):
    """What became of the events of a request."""

    stored: int
    known: int  # were there already


@router.post("/cloud/events", status_code=202, openapi_extra={"requestBody": _BODY})
async def take_events(request: Request, _sender: Sender) -> Stored:
    """Take events of AWS or Azure: CloudEvents 1.0 in binary, structured or batched mode, or EventBridge's own JSON."""
    body = await request.body()
    return await run_in_threadpool(_store, request, body)


def _store(request: Request, body: bytes) -> Stored:
    state = request.app.state
    now = database_clock(state.engine)()
    events = from_http({name.lower(): value for name, value in request.headers.items()}, body)
    for event in events:
        refuse_stale(event, now, timedelta(days=state.settings.cloud.event_days_max))
    stored = store(state.engine, events, way="http", now=now)
    return Stored(stored=stored, known=len(events) - stored)


@router.options("/cloud/events", status_code=200, response_class=Response, dependencies=[Depends(public)])
def allow_sender(origin: Origin) -> Response:
    """The handshake before Event Grid sends anything (CloudEvents 1.0, HTTP Webhook, section 4: abuse protection)."""
    return Response(headers={"WebHook-Allowed-Origin": origin, "Allow": "POST, OPTIONS"})
