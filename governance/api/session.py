"""Sign-in for the command line: it runs the device flow (RFC 8628) with the identity provider, and exchanges the ID
token that it gets for a session token of ours."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from governance.db.session import transaction
from governance.errors import Forbidden, Unauthenticated
from governance.http import sessions
from governance.http.permissions import public, requires
from governance.http.problems import request_id_of
from governance.http.rates import limited_sign_in
from governance.identity import people, tokens
from governance.identity.model import EVERY_SCOPE, Permission, Principal, permissions_of
from governance.identity.oidc import Identity, Provider
from governance.identity.tables import SpentIdToken

_ID_TOKEN_AGE_MAX = timedelta(minutes=10)
TOKEN_NAME = "governance login"  # noqa: S105  (what a session token is called in a person's list)

router = APIRouter(tags=["session"])


class DeviceFlow(BaseModel):
    """Where to run the device flow, and as which client."""

    issuer: str
    device_authorization_endpoint: str
    token_endpoint: str
    client_id: str
    scope: str


class Exchange(BaseModel):
    """What the device flow ended with. `access_token` is needed where the ID token holds no e-mail address."""

    model_config = ConfigDict(extra="forbid")

    id_token: Annotated[str, Field(min_length=1, max_length=16_384)]
    access_token: Annotated[str, Field(max_length=16_384)] = ""


class SessionToken(BaseModel):
    """A token for the `Authorization: Bearer` header. It is shown here and nowhere else."""

    token: str
    expires_at: datetime
    person: str


class Whoami(BaseModel):
    """Who is calling, and what they may do somewhere."""

    person: str
    display_name: str
    signed_in_by: str
    roles: list[str]
    groups: list[str]
    permissions: list[str]


@router.get("/session/device", dependencies=[Depends(public), Depends(limited_sign_in)])
def device_flow(request: Request) -> DeviceFlow:
    """The identity provider's endpoints for the device flow."""
    provider: Provider = request.app.state.oidc
    endpoints = provider.device_endpoints()
    return DeviceFlow(
        issuer=endpoints.issuer,
        device_authorization_endpoint=endpoints.device_authorization_endpoint,
        token_endpoint=endpoints.token_endpoint,
        client_id=endpoints.client_id,
        scope=endpoints.scope,
    )


@router.post("/session", status_code=201, dependencies=[Depends(public), Depends(limited_sign_in)])
def exchange(request: Request, body: Exchange) -> SessionToken:
    """A session token for the person whom the ID token names. An ID token is good for one exchange, while it is new."""
    state = request.app.state
    provider: Provider = state.oidc
    now = state.clock()
    identity = provider.check(
        body.id_token, now, audience=provider.device_client_id, nonce=None, access_token=body.access_token
    )
    if identity.issued_at_s < (now - _ID_TOKEN_AGE_MAX).timestamp():
        raise Unauthenticated("The ID token is older than ten minutes.", field="id_token", remedy="Sign in again.")
    try:
        created, person = _session_token(request, body.id_token, identity, now)
    except Forbidden as refused:
        with transaction(state.engine) as session:
            sessions.note_refusal(session, identity, refused, now, request_id_of(request))
        raise
    return SessionToken(token=created.secret, expires_at=created.token.expires_at, person=person)


@router.get("/session")
def whoami(principal: Annotated[Principal, Depends(requires(Permission.PROFILE))]) -> Whoami:
    """Who is calling."""
    return Whoami(
        person=principal.name,
        display_name=principal.display_name,
        signed_in_by=principal.signed_in_by,
        roles=sorted({held.role.value for held in principal.roles}),
        groups=sorted(principal.groups),
        permissions=sorted(permission.value for permission in permissions_of(principal)),
    )


@router.delete("/session", status_code=204)
def sign_out(request: Request, principal: Annotated[Principal, Depends(requires(Permission.PROFILE))]) -> None:
    """Revoke the token that this request carries."""
    state = request.app.state
    if principal.token_id is None:
        raise Forbidden("A browser signs out on its page.", remedy="POST to /sign-out.")
    with transaction(state.engine) as session:
        tokens.revoke(
            session, principal.token_id, state.clock(), actor=principal.name, request_id=request_id_of(request)
        )


def _session_token(request: Request, id_token: str, identity: Identity, now: datetime) -> tuple[tokens.Created, str]:
    """The token and its person's name: the ID token is spent and the session token made in one transaction."""
    state = request.app.state
    with transaction(state.engine) as session:
        _spend(session, id_token, identity.issued_at_s)
        person = people.known_person(session, identity.subject, identity.email)
        created = tokens.create(
            session,
            person_id=person.id,
            name=TOKEN_NAME,
            scopes=EVERY_SCOPE,  # as in a browser: what the person may do is asked again on each request
            valid_for=timedelta(hours=state.settings.web.session_hours),
            now=now,
            actor=person.name,
            request_id=request_id_of(request),
        )
    return created, person.name


def _spend(session: Session, id_token: str, issued_at_s: int) -> None:
    """Remember an ID token until it is too old anyway. Raises Unauthenticated if it was exchanged before.

    What is remembered is the part that is signed: a signature can be written in several ways.
    """
    signed = id_token.rpartition(".")[0]
    lasts = datetime.fromtimestamp(issued_at_s, UTC) + 2 * _ID_TOKEN_AGE_MAX
    session.add(SpentIdToken(token_hash=hashlib.sha256(signed.encode()).hexdigest(), expires_at=lasts))
    try:
        session.flush()
    except IntegrityError as error:
        raise Unauthenticated(
            "This ID token was exchanged already.", field="id_token", remedy="Sign in again."
        ) from error
