"""API tokens: one's own, and, for administrators, those of others."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, select

from governance.api.words import TokenName
from governance.db.session import reading, transaction
from governance.errors import Forbidden
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity import tokens
from governance.identity.model import EVERY_SCOPE, Permission, Principal, Role, allows_everywhere
from governance.identity.people import person_by_name
from governance.identity.tables import ApiToken, RoleBinding

router = APIRouter(tags=["tokens"])

Caller = Annotated[Principal, Depends(requires(Permission.TOKEN_OWN))]
PersonName = Annotated[str | None, Query(max_length=63, description="Somebody else; needs token:manage at the root.")]

Scope = Annotated[str, Field(max_length=100, json_schema_extra={"enum": [*EVERY_SCOPE]})]


class TokenWanted(BaseModel):
    """A token to be made. `person`: for somebody else, such as a service."""

    model_config = ConfigDict(extra="forbid")

    name: TokenName
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=50)]
    days: Annotated[int, Field(ge=1, le=tokens.LIFETIME_MAX.days)] = 90
    person: Annotated[str | None, Field(max_length=63)] = None


class TokenShown(BaseModel):
    """A token, without its secret."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class TokenMade(TokenShown):
    """A new token. `secret` is shown here and nowhere else."""

    secret: str


@router.get("/tokens")
def list_tokens(request: Request, principal: Caller, person: PersonName = None) -> list[TokenShown]:
    """The tokens of a person, the newest first."""
    with reading(request.app.state.engine) as session:
        owner = _owner(session, principal, person)
        return [TokenShown(**_fields(token)) for token in tokens.list_of(session, owner)]


@router.post("/tokens", status_code=201)
def create_token(request: Request, body: TokenWanted, principal: Caller) -> TokenMade:
    """Make a token."""
    tokens.refuse_more_than_own(principal, body.scopes)
    state = request.app.state
    with transaction(state.engine) as session:
        made = tokens.create(
            session,
            person_id=_receiver(session, principal, body.person),
            name=body.name,
            scopes=body.scopes,
            valid_for=timedelta(days=body.days),
            now=state.clock(),
            actor=principal.name,
            request_id=request_id_of(request),
        )
        return TokenMade(**_fields(made.token), secret=made.secret)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(request: Request, token_id: UUID, principal: Caller) -> None:
    """End a token now. A repeat changes nothing."""
    state = request.app.state
    anybodys = allows_everywhere(principal, Permission.TOKEN_MANAGE)
    with transaction(state.engine) as session:
        tokens.revoke(
            session,
            token_id,
            state.clock(),
            person_id=None if anybodys else principal.person_id,
            actor=principal.name,
            request_id=request_id_of(request),
        )


def _owner(session: Session, principal: Principal, person: str | None) -> UUID:
    if person is None or person == principal.name:
        return principal.person_id
    if not allows_everywhere(principal, Permission.TOKEN_MANAGE):
        raise Forbidden("Only an administrator at the root manages the tokens of others.", field="person")
    return person_by_name(session, person).id


def _receiver(session: Session, principal: Principal, person: str | None) -> UUID:
    """Whom a token is for: oneself, or a service. Whoever could make the token of an approver could approve."""
    owner = _owner(session, principal, person)
    if owner != principal.person_id:
        held = session.exec(select(RoleBinding.role).where(RoleBinding.person_id == owner)).all()
        if set(held) != {Role.SERVICE}:
            raise Forbidden("A token for somebody else can only be made for a service.", field="person")
    return owner


def _fields(token: ApiToken) -> dict[str, Any]:
    return {name: getattr(token, name) for name in TokenShown.model_fields}
