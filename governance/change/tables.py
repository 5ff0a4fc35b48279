"""Tables of change control."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field

from governance.db.base import Table
from governance.db.columns import document, instant, key
from governance.db.tables import Counter

__all__ = ["ApprovalRule", "ChangeRequest", "Counter", "Freeze", "Grant", "Review"]


class ChangeRequest(Table, table=True):
    """The wish for an exception or a controlled change. Made when a person opens a denial's link, never per denial."""

    __tablename__ = "change_request"

    id: UUID = key()
    number: int = Field(unique=True)  # shown as CH-1042; from a counter inside the transaction
    digest: str = Field(index=True)  # of the canonical request
    open_digest: str | None = Field(default=None, unique=True)  # the digest while the change is open, then None
    subject: str  # digest without the values after: a grant for less is held against it
    target: str  # scope/kind/namespace/name
    decision_id: UUID = Field(index=True)  # the denial that it answers
    kind: str = "normal"  # standard, normal, emergency
    state: str = Field(index=True)  # see change.model
    version: int = 1
    requester_id: UUID = Field(foreign_key="person.id", index=True)
    actor: str  # the Kubernetes user (or principal) who asked the cluster
    actor_id: UUID | None = Field(default=None, foreign_key="person.id")  # the person behind the actor
    project_id: UUID = Field(foreign_key="node.id", index=True)
    reason: str
    reference: str = ""  # an incident or ticket
    asks: dict[str, Any] = document()  # change.model.Asks: what, before, after, quota per node, images
    waives: list[str] = document(list)  # the violation codes of the denial: what an approval answers
    rules: list[Any] = document(list)  # [{group, minimum, deny_minimum, rule}]
    created_at: datetime = instant()
    decide_by: datetime = instant()
    valid_from: datetime = instant()
    valid_until: datetime = instant()
    decided_at: datetime | None = instant(optional=True)
    review_due_at: datetime | None = instant(optional=True)  # of an emergency: when its review must be done


class Review(Table, table=True):
    """One person's say. Rows are appended; the newest of a person counts."""

    __tablename__ = "review"

    id: UUID = key()
    change_id: UUID = Field(foreign_key="change_request.id", index=True)
    person_id: UUID = Field(foreign_key="person.id")
    verdict: str  # approve, reject, question, answer, review (after an emergency)
    note: str = ""
    terms: dict[str, Any] | None = document(None)  # for less, or until an earlier date
    at: datetime = instant()


class Grant(Table, table=True):
    """The single-use, expiring right that an approved change request gives to the one request that it was made for."""

    __tablename__ = "change_grant"

    id: UUID = key()
    change_id: UUID = Field(foreign_key="change_request.id", index=True)
    digest: str = Field(index=True)
    subject: str
    target: str = Field(
        index=True
    )  # scope/kind/namespace/name: known before the facts are, so grants are read with them
    state: str = "active"  # active, in_use, consumed, expired, revoked
    ceiling: dict[str, int] | None = document(None)  # approved for less: footprint after may be at most this
    allowances: list[Any] = document(list)  # [{node_id, scope, resource, amount}]
    waives: list[str] = document(list)  # violation codes that it answers: headroom, approval, freeze
    charge_id: UUID | None = None  # while in use, and after
    consumed_digest: str | None = None
    valid_from: datetime = instant()
    valid_until: datetime = instant()
    used_at: datetime | None = instant(optional=True)


class Freeze(Table, table=True):
    """One occurrence of a calendar window in which changes are refused, expanded from iCalendar at apply."""

    __tablename__ = "freeze"

    id: UUID = key()
    calendar: str = Field(index=True)  # FreezeCalendar manifest
    summary: str
    node_id: UUID = Field(foreign_key="node.id", index=True)  # holds at this node and below
    environments: list[str] = document(list)  # empty: all
    starts_at: datetime = instant(index=True)
    ends_at: datetime = instant(index=True)


class FreezeCalendar(Table, table=True):
    """The iCalendar text of a FreezeCalendar manifest, kept so that its occurrences can be expanded further in time."""

    __tablename__ = "freeze_calendar"

    name: str = Field(primary_key=True)
    node_id: UUID = Field(foreign_key="node.id", index=True)
    environments: list[str] = document(list)
    text: str
    time_zone: str  # of whole days and floating times
    expanded_until: datetime = instant(index=True)


class ApprovalRule(Table, table=True):
    """When an approval is needed at a node and below, and whose. Rego reads it; Python never decides by it."""

    __tablename__ = "approval_rule"

    name: str = Field(primary_key=True)
    node_id: UUID = Field(foreign_key="node.id", index=True)
    when: dict[str, Any] = document()  # {environments, kinds, above: {resource: amount}}
    require: list[Any] = document(list)  # [{group, minimum, deny_minimum}]
