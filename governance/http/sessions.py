"""Server-side sessions of browsers. The cookie holds 256 random bits; the database only their SHA-256.

The row also holds the session's CSRF token, which each form of that session carries.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy import select as sa_select
from sqlmodel import Session, col
from starlette.responses import Response

from governance.audit.log import record
from governance.errors import Forbidden
from governance.identity.model import Principal
from governance.identity.oidc import Identity
from governance.identity.people import principal_from, with_holdings
from governance.identity.tables import Person, SpentIdToken, WebSession
from governance.identity.tokens import digest
from governance.settings import Settings

_USE_NOTED_EVERY = timedelta(minutes=1)
SIGN_IN_LASTS = timedelta(minutes=10)  # from leaving for the provider to coming back


@dataclass(frozen=True, slots=True)
class Open:
    """A session that is in force."""

    principal: Principal
    csrf_token: str
    note_use: bool  # the last use that was written down is a minute old


@dataclass(frozen=True, slots=True)
class Cookies:
    """How cookies are called and guarded in this installation."""

    session: str
    sign_in: str
    secure: bool


def cookies(settings: Settings) -> Cookies:
    """`__Host-` binds a cookie to this host and to TLS (RFC 6265bis, section 4.1.3.2).

    The demo runs on plain HTTP on loopback, where browsers drop Secure cookies: there, and only there, without.
    """
    if settings.environment == "demo" and settings.web.public_url.startswith("http://"):
        return Cookies("governance", "governance-sign-in", secure=False)
    return Cookies("__Host-governance", "__Host-governance-sign-in", secure=True)


def begin_sign_in(session: Session, state: dict[str, Any], now: datetime) -> str:
    """Remember a sign-in that is under way. Returns the cookie's token."""
    return _store(session, person_id=None, state=state, now=now, lasts=SIGN_IN_LASTS)


def take_sign_in(session: Session, token: str, now: datetime) -> dict[str, Any] | None:
    """What was remembered of a sign-in under way; it is good once. None: unknown, used, or older than ten minutes."""
    row = session.get(WebSession, digest(token), with_for_update=True)
    if row is None or row.person_id is not None:
        return None
    session.delete(row)
    session.flush()
    return row.state if row.expires_at > now else None


def open_session(
    session: Session,
    person: Person,
    now: datetime,
    lasts: timedelta,
    *,
    replaces: str | None,
    reason: str,
    request_id: str = "",
) -> str:
    """Sign a person in: always under a new token, so that one planted beforehand is worth nothing.

    `replaces`: the token of the cookie that came with the request; that session ends. `reason`: how they signed in.
    Returns the cookie's token.
    """
    if replaces:
        _delete(session, replaces)
    record(session, person.name, "session.open", "person", person.name, reason, request_id=request_id, at=now)
    return _store(session, person_id=person.id, state={}, now=now, lasts=lasts)


def find_session(session: Session, token: str, now: datetime, idle: timedelta) -> Open | None:
    """Who is signed in under this cookie, with all rights, in one read; None if nobody (any more).

    Args:
        idle: a session whose person has done nothing for so long has ended.
    """
    query = sa_select(WebSession, Person).join(Person, col(Person.id) == col(WebSession.person_id))
    rows = session.execute(with_holdings(query.where(col(WebSession.token_hash) == digest(token)), now)).all()
    if not rows or not rows[0].Person.active:
        return None
    found: WebSession = rows[0].WebSession
    if found.expires_at <= now or found.seen_at + idle <= now:
        return None
    principal = principal_from(rows, signed_in_by="session")
    return Open(principal, found.csrf_token, note_use=found.seen_at <= now - _USE_NOTED_EVERY)


def note_use(session: Session, token: str, now: datetime) -> None:
    """Write down that its person did something, at most once a minute."""
    theirs = update(WebSession).where(col(WebSession.token_hash) == digest(token))
    session.execute(theirs.where(col(WebSession.seen_at) <= now - _USE_NOTED_EVERY).values(seen_at=now))


def close_session(session: Session, token: str, principal: Principal, now: datetime, *, request_id: str = "") -> None:
    """Sign out: the session is gone on the server, whoever still has the cookie."""
    _delete(session, token)
    record(session, principal.name, "session.close", "person", principal.name, request_id=request_id, at=now)


def note_refusal(session: Session, identity: Identity, refused: Forbidden, now: datetime, request_id: str) -> None:
    """Write down that somebody whom the provider knows, and we do not, wanted to sign in."""
    name = identity.email or identity.subject
    record(session, name, "session.refuse", "person", name, refused.detail, request_id=request_id, at=now)


def set_cookie(response: Response, settings: Settings, name: str, token: str, lasts: timedelta) -> None:
    """Give the browser its token. Lax: a link in a mail opens a page signed in, a foreign form posts without it."""
    response.set_cookie(
        name,
        token,
        max_age=int(lasts.total_seconds()),
        path="/",
        secure=cookies(settings).secure,
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, settings: Settings, name: str) -> None:
    """Take the token from the browser."""
    response.delete_cookie(name, path="/", secure=cookies(settings).secure, httponly=True, samesite="lax")


def _delete(session: Session, token: str) -> None:
    session.execute(delete(WebSession).where(col(WebSession.token_hash) == digest(token)))


def _store(session: Session, *, person_id: UUID | None, state: dict[str, Any], now: datetime, lasts: timedelta) -> str:
    for table in (WebSession, SpentIdToken):  # what is past is cleared away by whoever comes next
        session.execute(delete(table).where(col(table.expires_at) <= now))
    token = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            token_hash=digest(token),
            person_id=person_id,
            csrf_token=secrets.token_urlsafe(32),
            state=state,
            created_at=now,
            seen_at=now,
            expires_at=now + lasts,
        )
    )
    session.flush()
    return token
