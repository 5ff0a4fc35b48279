"""A request for capacity, whatever door it came through, and the decision on it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from governance.policy.model import Finding, Need
from governance.quota.model import Declaration
from governance.units import EMPTY, ResourceList

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(frozen=True, slots=True)
class Owner:
    """The controllerRef of an object: who made it."""

    kind: str  # group/resource where known, else group/Kind
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Request:
    """One wish to create, change, scale or delete capacity.

    `changes` holds the governed paths with their values after (a scale, a patch and an apply of the same field agree).
    `digest` is SHA-256 over the canonical request; `subject` the same without the values after and the footprint
    (LEDGER.md, Grants). Neither sees before-values, uid, resourceVersion, managedFields, status or the actor.
    """

    door: Literal["kubernetes", "cloud", "pipeline"]
    provider: Literal["kubernetes", "aws", "azure"]  # who calls people, accounts and kinds as this request does
    scope: str  # the cluster, account or subscription
    uid: str  # of the review: answers exact replays only, never an idempotency key
    actor: str
    groups: tuple[str, ...]
    operation: Operation
    kind: str  # group/resource, the core group written as core: apps/deployments, core/pods
    subresource: str
    namespace: str
    name: str
    object_uid: str
    resource_version: str  # of the object before; empty on CREATE
    owner: Owner | None
    declaration: Declaration | None  # after; None: nothing that this service governs
    declaration_before: Declaration | None
    scale_to: int | None = None  # a Scale: replicas after; the declaration is then derived from what the ledger knows
    scale_from: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    changes_before: Mapping[str, Any] = field(default_factory=dict)  # the same paths before; for people, not the digest
    name_prefix: str = ""  # a new object's generateName: the digest sees it in place of the name made from it
    dry_run: bool = False
    unknown: str = ""  # why what it takes cannot be told yet; empty: it can
    controller_made: bool = False  # by one of kube-system's controllers (service account), for a root already admitted
    digest: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Allow, deny with violations, or deny with an exception that can be asked for."""

    id: UUID
    outcome: Literal["allow", "deny"]
    violations: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    approvals: tuple[Need, ...] = ()
    askable: bool = False  # every violation can be answered by an approved change request
    sentences: tuple[str, ...] = ()  # what a person reads: requested, used, limit, rule, what to do
    link: str = ""  # where a person can ask for the change
    charge_id: UUID | None = None
    grant_id: UUID | None = None
    increase: ResourceList = EMPTY
    at: datetime | None = None

    @property
    def allowed(self) -> bool:
        return self.outcome == "allow"
