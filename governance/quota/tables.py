"""Tables of the ledger. LEDGER: a charge is set to a level; usage is changed only by reserve and observe."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, exact, instant, key, whole


class Scope(Table, table=True):
    """What asks: a cluster, an AWS account, an Azure subscription. It observes until all that exists is charged."""

    __tablename__ = "scope"

    name: str = Field(primary_key=True)  # of the cluster; the account's or subscription's own id
    kind: str = "kubernetes"  # or aws, azure
    mode: str = "observe"  # observe, enforce, warn
    warn_until: datetime | None = instant(optional=True)
    warn_by: str = ""  # who switched it to warn, and why, for people to read
    warn_reason: str = ""
    labels: dict[str, str] = document()  # placement rules read them: location=on-premises
    epoch: int = 1  # a restored etcd starts a new one
    writer: str | None = None  # who holds the watch, and its lease
    writer_epoch: int = 0  # fences an earlier writer
    writer_until: datetime | None = instant(optional=True)
    relisted_at: datetime | None = instant(optional=True)


class Binding(Table, table=True):
    """Which project pays for a part of a scope, and the way to the root. Reserve locks it FOR SHARE.

    A part is a namespace of a cluster, a resource group of a subscription, what a tag sets apart, or all the rest.
    """

    __tablename__ = "binding"

    scope: str = Field(primary_key=True, foreign_key="scope.name")
    name: str = Field(primary_key=True)
    labels: dict[str, str] = document()
    project_id: UUID | None = Field(default=None, foreign_key="node.id", index=True)  # None: not bound
    exempt: bool = False
    path: list[str] = document(list)  # node ids, the project first, the root last
    autoscaling: str = "current"  # or maximum: what autoscalers may set is charged
    revision: int = 0  # configuration revision in which this row was last settled


class Usage(Table, table=True):
    """What a node has taken of one resource, with the limits that guard it. `scope` is empty for the unscoped quota."""

    __tablename__ = "usage"
    __table_args__ = (CheckConstraint("used >= 0", name="used_not_negative"),)

    node_id: UUID = Field(foreign_key="node.id", primary_key=True)
    scope: str = Field(default="", primary_key=True)
    resource: str = Field(primary_key=True)
    depth: int
    used: int = whole()  # own charges plus what each child draws
    drawn: int = whole()  # what it passes up: max(used, guaranteed)
    hard: int | None = whole(optional=True)  # None: no limit
    lending: int | None = whole(optional=True)  # None: all may be lent
    borrowing: int | None = whole(optional=True)  # None: nothing may be borrowed
    allowance: int = whole()  # sum of the live allowances
    rule: str = ""  # the Quota manifest that set the limit


class Charge(Table, table=True):
    """What the ledger holds for one root object's incarnation and its descendants."""

    __tablename__ = "charge"
    __table_args__ = (UniqueConstraint("native_id", "kind", "scope", "incarnation"),)  # looked up by name

    id: UUID = key()
    scope: str  # the cluster, account or subscription
    kind: str  # group/resource: apps/deployments, ec2/instances
    native_id: str  # namespace/name
    incarnation: str = Field(index=True)  # metadata.uid; an instance's id
    project_id: UUID | None = Field(default=None, foreign_key="node.id", index=True)  # None: the namespace is not bound
    path: list[str] = document(list)  # the nodes that it is charged to, the project first; empty: nobody's
    state: str  # held, confirmed, released, expired
    level: dict[str, int] = document()  # what stands in usage for it
    confirmed: dict[str, int] = document()  # of the level, what was seen to exist; the rest is held
    version: int = 1  # raised by every write; a writer names the version that it read
    decision_id: UUID | None = None  # the last admission that raised it, or refused what is there all the same
    created_at: datetime = instant()
    updated_at: datetime = instant()


_HAS_NAME_KEY = text("name_key IS NOT NULL")  # no pod has: their rows, which are most, cost this index nothing


class ChargeObject(Table, table=True):
    """One object that the ledger knows, root or descendant, with what was observed of it and what is pending."""

    __tablename__ = "charge_object"
    __table_args__ = (
        UniqueConstraint("uid", "scope"),  # looked up by uid
        Index("ix_charge_object_charge_id", "charge_id", "deadline"),
        Index("ix_charge_object_name_key", "name_key", sqlite_where=_HAS_NAME_KEY, postgresql_where=_HAS_NAME_KEY),
        Index("ix_charge_object_gone", "seen_at", postgresql_where=text("gone"), sqlite_where=text("gone = 1")),
    )

    id: UUID = key()
    charge_id: UUID = Field(foreign_key="charge.id")
    scope: str
    uid: str
    kind: str  # group/resource
    namespace: str
    name: str
    parent_uid: str | None = Field(default=None, index=True)  # None: the root of its charge
    owner_uid: str | None = Field(default=None, index=True)  # what its controllerRef says, known to the ledger or not
    observed_version: str | None = None  # resourceVersion
    observed: dict[str, Any] | None = document(None)  # a declaration (quota.model.Declaration)
    pending: list[Any] = document(list)  # [{base_version, declaration, content, grant, deadline, decision}]
    children: dict[str, int] = document()  # sum of the needs of its direct children
    sizes: list[Any] = document(list)  # [{revision, unit, count}]: how large the pods are that draw on it
    maxima: dict[str, int] = document()  # how far autoscalers may scale it, by their uid
    names: list[str] = document(list)  # name keys: an autoscaler's of what it scales, a StatefulSet's of its claims
    name_key: str | None = None  # by which those that name it find it; a claim's is without its ordinal
    need: dict[str, int] = document()  # max(value, children) component by component
    gone: bool = (
        False  # deleted, or never came to be; kept for a day (quota.prune), so that a late event does not bring it back
    )
    deleting: bool = False  # has a deletionTimestamp
    deadline: datetime | None = instant(optional=True, index=True)  # of the oldest pending
    seen_at: datetime | None = instant(optional=True)


class ChargeResource(Table, table=True):
    """What a provider calls a thing that a charge pays for: by it a line of a bill finds its charge."""

    __tablename__ = "charge_resource"
    __table_args__ = (UniqueConstraint("charge_id", "resource_id", "role"), Index(None, "resource_id", "provider"))

    id: UUID = key()
    charge_id: UUID = Field(foreign_key="charge.id")
    provider: str  # aws, azure
    account: str  # or subscription
    resource_id: str  # as FOCUS has it, normalised: an ARN; an ARM id in lower case
    role: str  # machine, disk
    region: str = ""
    machine: str = ""  # its type; by it and its region it is priced
    valid_from: datetime = instant()
    valid_to: datetime | None = instant(optional=True)  # None: it is still there


class SettlementRun(Table, table=True):
    """One reckoning of a month: of every charge what was foretold, and what was billed. The newest is in force."""

    __tablename__ = "settlement_run"

    id: UUID = key()
    period: str = Field(index=True)  # 2026-11
    at: datetime = instant()


class Settlement(Table, table=True):
    """What a charge was foretold to cost in a month, and what its lines of the bill say. Never changed."""

    __tablename__ = "settlement"

    run_id: UUID = Field(foreign_key="settlement_run.id", primary_key=True)
    charge_id: UUID = Field(foreign_key="charge.id", primary_key=True, index=True)
    currency: str = Field(primary_key=True)
    estimate: Decimal = exact()  # by its price, for as long as it was there until `billed_through`
    billed: Decimal = exact()  # as on the invoice
    effective: Decimal = exact()  # as charged back: discounts and commitments spread
    lines: int = 0
    billed_through: datetime | None = instant(optional=True)  # None: no line of it has come
    state: str  # estimated, provisional, invoiced, closed


class Allowance(Table, table=True):
    """An approved overrun: raises a node's guard for one charge until it ends."""

    __tablename__ = "allowance"
    __table_args__ = (UniqueConstraint("grant_id", "charge_id", "node_id", "scope", "resource"),)

    id: UUID = key()
    grant_id: UUID = Field(index=True)
    charge_id: UUID = Field(foreign_key="charge.id", index=True)
    node_id: UUID = Field(foreign_key="node.id")
    scope: str = ""
    resource: str
    amount: int = whole()
    until: datetime = instant(index=True)
    ended_at: datetime | None = instant(optional=True)


class Breach(Table, table=True):
    """What exists above a limit: opened by observe, closed when usage is within the limit again."""

    __tablename__ = "breach"

    id: UUID = key()
    node_id: UUID = Field(foreign_key="node.id", index=True)
    scope: str = ""
    resource: str
    over: int = whole()
    charge_id: UUID | None = Field(default=None, foreign_key="charge.id")
    opened_at: datetime = instant()
    closed_at: datetime | None = instant(optional=True)
