"""API tokens: made once and shown once, kept as a hash, scoped, expiring, revocable.

A token is 256 random bits, so its SHA-256 cannot be turned back by guessing: the slow, salted hashes that passwords
need defend short secrets that people chose, and would here only cost every request their time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, update
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, select

from governance.audit.log import record
from governance.errors import BadInput, Forbidden, NotFound
from governance.identity.model import EVERY_SCOPE, Principal
from governance.identity.people import principal_from, with_holdings
from governance.identity.tables import ApiToken, Person

PREFIX = "gov_"  # so that secret scanners, and people, know what they see
LIFETIME_MAX = timedelta(days=366)
_USE_NOTED_EVERY = timedelta(minutes=1)
_NAME_CHARACTERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Created:
    """A new token. `secret` is nowhere else: show it once."""

    token: ApiToken
    secret: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a valid token stands for. `note_use`: its last use is to be written down again."""

    principal: Principal
    note_use: bool


def digest(secret: str) -> str:
    """SHA-256 of a token of 256 random bits, in hex: what is kept and looked up."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create(
    session: Session,
    *,
    person_id: UUID,
    name: str,
    scopes: Iterable[str],
    valid_for: timedelta,
    now: datetime,
    actor: str,
    request_id: str = "",
) -> Created:
    """Make a token in the caller's transaction, and its audit event. `actor`: the name of the person who asks for it.

    Raises:
        BadInput: no name or scope, an unknown scope, or a lifetime that is not within (0, 366 days].
    """
    wanted = sorted(set(scopes))
    if not name.strip() or len(name) > _NAME_CHARACTERS_MAX or "\x00" in name:
        raise BadInput(f"A token needs a name of at most {_NAME_CHARACTERS_MAX} characters.", field="name")
    if unknown := [scope for scope in wanted if scope not in EVERY_SCOPE]:
        raise BadInput(f"{unknown[0]} is not a scope.", field="scopes", remedy=f"Scopes: {', '.join(EVERY_SCOPE)}.")
    if not wanted:
        raise BadInput("A token without scopes can do nothing.", field="scopes", remedy="Name at least one scope.")
    if not timedelta(0) < valid_for <= LIFETIME_MAX:
        raise BadInput(f"A token lives for at most {LIFETIME_MAX.days} days.", field="expires")
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        name=name.strip(),
        token_hash=digest(secret),
        person_id=person_id,
        scopes=wanted,
        created_at=now,
        expires_at=now + valid_for,
    )
    session.add(token)
    session.flush()
    after = {"name": token.name, "person_id": str(person_id), "scopes": wanted, "expires_at": f"{token.expires_at}"}
    record(session, actor, "token.create", "token", str(token.id), after=after, request_id=request_id, at=now)
    return Created(token, secret)


def refuse_more_than_own(principal: Principal, scopes: Iterable[str]) -> None:
    """A token cannot be used to make a wider one. Raises Forbidden."""
    if principal.scopes is not None and (wider := set(scopes) - principal.scopes):
        raise Forbidden(f"The token in use does not have the scope {min(wider)} itself.", field="scopes")


def lookup(session: Session, secret: str, now: datetime) -> Found | None:
    """Who comes with this token, with all rights, in one read; None if it is unknown, expired or revoked, or if its
    person is no longer active.

    The lookup is by hash: what an attacker controls is the hash's preimage, so that the index tells nothing of the
    secret by its timing; the found hash is still compared in constant time.
    """
    if not secret.startswith(PREFIX):
        return None
    hashed = digest(secret)
    query = sa_select(ApiToken, Person).join(Person, col(Person.id) == col(ApiToken.person_id))
    rows = session.execute(with_holdings(query.where(col(ApiToken.token_hash) == hashed), now)).all()
    if not rows or not hmac.compare_digest(rows[0].ApiToken.token_hash, hashed):
        return None
    token: ApiToken = rows[0].ApiToken
    if token.revoked_at is not None or token.expires_at <= now or not rows[0].Person.active:
        return None
    principal = principal_from(rows, signed_in_by="token", scopes=frozenset(token.scopes), token_id=token.id)
    return Found(principal, token.last_used_at is None or token.last_used_at <= now - _USE_NOTED_EVERY)


def note_use(session: Session, token_id: UUID, now: datetime) -> None:
    """Write down that the token was used, at most once a minute: a write on each request would cost more than it
    tells."""
    session.execute(
        update(ApiToken)
        .where(
            col(ApiToken.id) == token_id,
            or_(col(ApiToken.last_used_at).is_(None), col(ApiToken.last_used_at) <= now - _USE_NOTED_EVERY),
        )
        .values(last_used_at=now)
    )


def revoke(
    session: Session,
    token_id: UUID,
    now: datetime,
    *,
    actor: str,
    person_id: UUID | None = None,
    request_id: str = "",
) -> None:
    """End a token now, with its audit event; a repeat changes nothing. With `person_id`, only a token of that person.

    Raises:
        NotFound: no such token (of that person).
    """
    token = session.get(ApiToken, token_id, with_for_update=True)
    if token is None or (person_id is not None and token.person_id != person_id):
        raise NotFound("There is no such token.", field="id")
    if token.revoked_at is None:
        token.revoked_at = now
        session.add(token)
        record(session, actor, "token.revoke", "token", str(token_id), request_id=request_id, at=now)
        session.flush()


def list_of(session: Session, person_id: UUID) -> list[ApiToken]:
    """The person's tokens, the newest first; their secrets are not kept anywhere."""
    return list(session.exec(select(ApiToken).where(ApiToken.person_id == person_id).order_by(col(ApiToken.id).desc())))
