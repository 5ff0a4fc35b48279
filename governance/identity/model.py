"""Who somebody is to this service, and what they may do where. Pure.

Deny by default: a permission is had only through a role at a node of the path (or, for reviews, through a group, or for
somebody whom one stands in for).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from uuid import UUID

SignedInBy = Literal["session", "token"]


class Role(StrEnum):
    """What a person is at a node and below it."""

    REQUESTER = "requester"
    APPROVER = "approver"
    FINANCE = "finance"
    AUDITOR = "auditor"
    ADMIN = "admin"
    SERVICE = "service"


class Permission(StrEnum):
    """What a route or a use case asks for. The value is also the scope of an API token; `doc` is for people."""

    doc: str

    def __new__(cls, value: str, doc: str) -> Permission:
        member = str.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member

    PROFILE = "profile", "See one's own Home, sign out."
    TOKEN_OWN = "token:own", "Create, list and revoke one's own API tokens."
    TOKEN_MANAGE = "token:manage", "Create, list and revoke the API tokens of others."
    QUOTA_READ = "quota:read", "See limits, usage and charges."
    DECISION_READ = "decision:read", "See decisions and their facts."
    CHANGE_READ = "change:read", "See change requests."
    CHANGE_ASK = "change:ask", "Ask for a change, answer questions about it, withdraw it."
    CHANGE_REVIEW = "change:review", "Approve, reject or question a change that somebody else asked for."
    CHANGE_REVOKE = "change:revoke", "Take back a grant that is not used yet."
    CHANGE_BREAK_GLASS = "change:break-glass", "Act first in an emergency, and answer for it in a review afterwards."
    CHECKPOINT_READ = "checkpoint:read", "See which controls were passed or failed, and who attested it."
    CHECKPOINT_RECORD = "checkpoint:record", "Record a signed checkpoint."
    CONFIGURATION_READ = "configuration:read", "See manifests and revisions."
    CONFIGURATION_PLAN = "configuration:plan", "See what a set of manifests would change."
    CONFIGURATION_APPLY = "configuration:apply", "Make a set of manifests the configuration in force."
    EVENT_SEND = "event:send", "Send events of accounts and subscriptions."
    BILLING_READ = "billing:read", "See bills, what was charged back, and how charges were settled."
    BILLING_IMPORT = "billing:import", "Import the cost lines of a bill."
    BILLING_CLOSE = "billing:close", "Record invoices, explain gaps, prepare months and close them."
    AUDIT_READ = "audit:read", "See, export and verify the audit log."
    OPERATIONS_READ = "operations:read", "See the health of the parts of this installation."
    OPERATIONS_ACT = "operations:act", "Switch a cluster between warning and enforcing, rebuild its ledger."


EVERY_SCOPE = tuple(sorted(permission.value for permission in Permission))

_READS = frozenset(
    {Permission.QUOTA_READ, Permission.DECISION_READ, Permission.CHANGE_READ, Permission.CHECKPOINT_READ}
)
_EVERYBODY = frozenset({Permission.PROFILE, Permission.TOKEN_OWN})
_APPROVES = frozenset({Permission.CHANGE_REVIEW, Permission.CHANGE_BREAK_GLASS})
_BY_GROUP = frozenset({Permission.CHANGE_READ, Permission.CHANGE_REVIEW, Permission.DECISION_READ})
_BY_DELEGATION = frozenset({Permission.CHANGE_READ, Permission.CHANGE_REVIEW})
_NEVER_APPROVES = frozenset({Role.ADMIN, Role.SERVICE})

_GRANTS: dict[Role, frozenset[Permission]] = {
    Role.REQUESTER: _READS | {Permission.CHANGE_ASK, Permission.CHECKPOINT_RECORD},
    Role.APPROVER: _READS | _APPROVES | {Permission.BILLING_READ, Permission.CHANGE_ASK, Permission.CHANGE_REVOKE},
    Role.FINANCE: _READS | {Permission.BILLING_READ, Permission.BILLING_IMPORT, Permission.BILLING_CLOSE},
    Role.AUDITOR: _READS
    | {
        Permission.BILLING_READ,
        Permission.CONFIGURATION_READ,
        Permission.AUDIT_READ,
        Permission.OPERATIONS_READ,
    },
    Role.ADMIN: _READS
    | {
        Permission.TOKEN_MANAGE,
        Permission.CHANGE_REVOKE,
        Permission.CONFIGURATION_READ,
        Permission.CONFIGURATION_PLAN,
        Permission.CONFIGURATION_APPLY,
        Permission.AUDIT_READ,
        Permission.OPERATIONS_READ,
        Permission.OPERATIONS_ACT,
    },
    Role.SERVICE: _READS
    | {
        Permission.CHANGE_ASK,
        Permission.CONFIGURATION_READ,
        Permission.CONFIGURATION_PLAN,
        Permission.CHECKPOINT_RECORD,
        Permission.EVENT_SEND,
    },
}


@dataclass(frozen=True, slots=True)
class RoleAt:
    """A role that is held at a node and below it. `root`: the node is the root of the organisation."""

    role: Role
    node: str
    root: bool = False


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who is signed in. `scopes` is None in a browser; a token carries what it was made for, and no more."""

    person_id: UUID
    name: str
    display_name: str
    email: str
    time_zone: str
    roles: frozenset[RoleAt]
    groups: frozenset[str]
    signed_in_by: SignedInBy
    scopes: frozenset[str] | None = None
    token_id: UUID | None = None
    acts_for: frozenset[UUID] = frozenset()  # the people for whom they act now


def never_approves(roles: frozenset[Role]) -> bool:
    """Whoever configures the rules, or is a machine, approves nothing, whatever other role or group they have."""
    return not roles.isdisjoint(_NEVER_APPROVES)


def allows(principal: Principal, permission: Permission, node_path: Sequence[str]) -> bool:
    """Whether the principal may do this at the node whose path is given: ids as text, the node first, the root last.

    An empty path names no node, so only what everybody may do is allowed there.
    """
    if _barred(principal, permission):
        return False
    if permission in _EVERYBODY:
        return True
    return any(held.node in node_path for held in _holding(principal, permission))


def allows_everywhere(principal: Principal, permission: Permission) -> bool:
    """Whether the principal may do this in the whole organisation: by a role at its root."""
    if _barred(principal, permission):
        return False
    return permission in _EVERYBODY or any(held.root for held in _holding(principal, permission))


def allows_somewhere(principal: Principal, permission: Permission) -> bool:
    """Whether there is any node, any approval group, or anybody they act for, for which the principal may do this.

    Opens a route; the use case behind it still asks `allows` for the node in hand, or whether the person may speak.
    """
    if _barred(principal, permission):
        return False
    by_group = permission in _BY_GROUP and bool(principal.groups)
    by_delegation = permission in _BY_DELEGATION and bool(principal.acts_for)
    return permission in _EVERYBODY or by_group or by_delegation or bool(_holding(principal, permission))


def nodes_allowing(principal: Principal, permission: Permission) -> frozenset[str]:
    """The nodes at which a role gives this: it holds there and below. Lists show what lies on or under them."""
    if _barred(principal, permission):
        return frozenset()
    return frozenset(held.node for held in _holding(principal, permission))


def permissions_of(principal: Principal) -> frozenset[Permission]:
    """Everything that the principal may do somewhere."""
    return frozenset(permission for permission in Permission if allows_somewhere(principal, permission))


def _barred(principal: Principal, permission: Permission) -> bool:
    if principal.scopes is not None and permission.value not in principal.scopes:
        return True
    return permission in _APPROVES and never_approves(frozenset(held.role for held in principal.roles))


def _holding(principal: Principal, permission: Permission) -> list[RoleAt]:
    return [held for held in principal.roles if permission in _GRANTS[held.role]]
