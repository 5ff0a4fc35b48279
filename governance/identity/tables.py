"""Tables of the organisation, its people, and how they sign in."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, instant, key


class Node(Table, table=True):
    """A department or a project: the current state. Earlier states are in the configuration's revisions."""

    __tablename__ = "node"
    __table_args__ = (UniqueConstraint("kind", "name"),)

    id: UUID = key()
    kind: str  # department, project
    name: str  # unique per kind; a label that may change
    title: str
    parent_id: UUID | None = Field(default=None, foreign_key="node.id", index=True)
    depth: int = 0  # the root is 0
    environment: str | None = None  # of a project: production, staging, development, ...
    labels: dict[str, str] = document()
    autoscaling: str = "current"  # or maximum: how what autoscalers scale is charged; its own, or as above it
    currency: str = "EUR"
    cost_centre: str | None = None
    legal_entity: str | None = None
    owner_id: UUID | None = Field(
        default=None, foreign_key="person.id"
    )  # its own; None: the nearest above owns it, see organisation.owner_of
    retired_at: datetime | None = instant(optional=True)


class Person(Table, table=True):
    """Somebody who may sign in, or who stands behind a Kubernetes user."""

    __tablename__ = "person"

    id: UUID = key()
    name: str = Field(unique=True)  # the manifest's metadata.name
    display_name: str
    email: str
    time_zone: str = "UTC"
    active: bool = True


class PersonIdentity(Table, table=True):
    """How the person is called elsewhere: an OIDC subject, or a cluster's user name (`provider` is `kubernetes`)."""

    __tablename__ = "person_identity"

    provider: str = Field(primary_key=True)  # oidc, kubernetes, aws, azure
    subject: str = Field(primary_key=True)  # oidc: e-mail or sub; kubernetes: user name; aws: ARN; azure: UPN
    person_id: UUID = Field(foreign_key="person.id", index=True)


class RoleBinding(Table, table=True):
    """A role that a person holds at a node and below it: requester, approver, finance, auditor, admin, service."""

    __tablename__ = "role_binding"

    person_id: UUID = Field(foreign_key="person.id", primary_key=True)
    role: str = Field(primary_key=True)
    node_id: UUID = Field(foreign_key="node.id", primary_key=True)


class GroupMember(Table, table=True):
    """Who may speak for an approval group (`platform`, `radiology`)."""

    __tablename__ = "group_member"

    group_name: str = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", primary_key=True)


class Delegation(Table, table=True):
    """Somebody who acts for another while the time lasts."""

    __tablename__ = "delegation"

    id: UUID = key()
    person_id: UUID = Field(foreign_key="person.id", index=True)
    delegate_id: UUID = Field(foreign_key="person.id", index=True)
    valid_from: datetime = instant()
    valid_until: datetime = instant()


class WebSession(Table, table=True):
    """A signed-in browser. The cookie holds a random token; only its SHA-256 is kept."""

    __tablename__ = "web_session"

    token_hash: str = Field(primary_key=True)
    person_id: UUID | None = Field(default=None, foreign_key="person.id", index=True)  # None: sign-in under way
    csrf_token: str
    state: dict[str, Any] = document()  # OIDC state, nonce, PKCE verifier, where to return
    created_at: datetime = instant()
    seen_at: datetime = instant()  # when its person last did something, to the minute
    expires_at: datetime = instant(index=True)


class ApiToken(Table, table=True):
    """A token for a program. Only its SHA-256 is kept."""

    __tablename__ = "api_token"

    id: UUID = key()
    name: str
    token_hash: str = Field(unique=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    scopes: list[str] = document(list)
    created_at: datetime = instant()
    expires_at: datetime = instant()
    revoked_at: datetime | None = instant(optional=True)
    last_used_at: datetime | None = instant(optional=True)


class SpentIdToken(Table, table=True):
    """An ID token of the provider that was exchanged for a session token: it is good for one exchange."""

    __tablename__ = "spent_id_token"

    token_hash: str = Field(primary_key=True)
    expires_at: datetime = instant(index=True)
