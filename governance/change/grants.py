"""Grants: the single-use, expiring right that an approved change gives to the one request that it was made for.

Admission reads grants with its facts (`grants_select`), picks one (`pick`), and consumes it in the transaction that
raises the charge (`consume_statements`). Consuming is idempotent per (grant, digest, charge) while the charge is
pending, so that the API server's own repetitions use it once (LEDGER.md, Grants); `settle` makes it final, or gives
it back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Update, and_, case, or_, select, update
from sqlmodel import Session, col

from governance.audit.log import record
from governance.change.model import Asks, State, Terms, show_number, smaller
from governance.change.tables import ChangeRequest, Grant
from governance.units import ResourceList

SERVICE = "governance"
"""The actor of what this service does by itself."""

_LIVE = ("active", "in_use")


@dataclass(frozen=True, slots=True)
class GrantFact:
    """A grant that answers the request in hand, now."""

    id: UUID
    change_id: UUID
    change: str  # CH-1042
    waives: tuple[str, ...]  # violation codes
    allowances: tuple[Mapping[str, Any], ...]  # {node_id, scope, resource, amount}
    valid_until: datetime  # also the end of the allowances
    charge_id: UUID | None = None  # in use for, as it was read


def grants_select(target: str | ColumnElement[str]) -> Select[*tuple[Any, ...]]:
    """The live grants for a target (scope/kind/namespace/name), each with its change's number. `pick` chooses."""
    grant, change = Grant, ChangeRequest
    return (
        select(
            col(grant.id),
            col(grant.change_id),
            col(change.number),
            col(grant.digest),
            col(grant.subject),
            col(grant.state),
            col(grant.ceiling),
            col(grant.allowances),
            col(grant.waives),
            col(grant.charge_id),
            col(grant.consumed_digest),
            col(grant.valid_from),
            col(grant.valid_until),
        )
        .join(change, col(change.id) == col(grant.change_id))
        .where(col(grant.target) == target, col(grant.state).in_(_LIVE))
        .order_by(col(change.number))
    )


def pick(
    rows: Iterable[Mapping[str, Any]],
    digest: str,
    subject: str,
    after: ResourceList,
    now: datetime,
    charges: Collection[UUID] = (),
) -> GrantFact | None:
    """The grant that answers this request, if there is one; the one that is in use for it comes first.

    Args:
        rows: of `grants_select` for the request's target.
        digest, subject: of the request in hand. A grant as asked answers this digest alone.
        after: the footprint after. A grant for less answers any digest of its subject up to its ceiling.
        now: the database's time.
        charges: what a grant in use may serve already for this request to be the same use: the object's own charge,
            and those of its name that nobody has seen yet, for this request repeats what they wait for.
    """
    fitting = [row for row in rows if _fits(row, digest, subject, after, now, charges)]
    if not fitting:
        return None
    row = min(fitting, key=lambda one: (one["state"] != "in_use", one["number"]))
    return GrantFact(
        id=row["id"],
        change_id=row["change_id"],
        change=show_number(row["number"]),
        waives=tuple(row["waives"]),
        allowances=tuple(row["allowances"]),
        valid_until=row["valid_until"],
        charge_id=row["charge_id"],
    )


def consume_statements(grant: GrantFact, digest: str, charge_id: UUID, now: datetime) -> tuple[Update, Update]:
    """The statements that use the grant, for the transaction that raises the charge.

    Each must change exactly one row; none changed means that the grant was used, revoked or expired meanwhile, and the
    transaction must not be committed. Repeating them for the same digest and charge changes nothing; a repeated CREATE
    has a new charge, to which the use then moves (`pick` says from which).
    """
    change = (
        update(ChangeRequest)
        .where(
            col(ChangeRequest.id) == grant.change_id,
            col(ChangeRequest.state).in_((State.APPROVED, State.SCHEDULED, State.IN_USE)),
        )
        .values(
            version=col(ChangeRequest.version) + case((col(ChangeRequest.state) == State.IN_USE, 0), else_=1),
            state=State.IN_USE,
        )
    )
    served = [charge_id] if grant.charge_id is None else [charge_id, grant.charge_id]
    same = and_(col(Grant.state) == "in_use", col(Grant.charge_id).in_(served), col(Grant.consumed_digest) == digest)
    use = (
        update(Grant)
        .where(
            col(Grant.id) == grant.id,
            col(Grant.valid_from) <= now,
            col(Grant.valid_until) > now,
            or_(col(Grant.state) == "active", same),
        )
        .values(state="in_use", charge_id=charge_id, consumed_digest=digest, used_at=now)
    )
    return change, use  # the change first: people who decide lock it first too


def settle(session: Session, grant_id: UUID, charge_id: UUID, now: datetime, *, persisted: bool) -> bool:
    """End the use of a grant: final when what was admitted was seen, given back when it is lost.

    Returns:
        whether the grant was in use for that charge: a late or repeated event changes nothing.
    """
    in_use = and_(col(Grant.id) == grant_id, col(Grant.state) == "in_use", col(Grant.charge_id) == charge_id)
    move, end = _finish(in_use) if persisted else _give_back(in_use, now)
    if session.exec(move).rowcount == 0:
        return False
    session.exec(end)
    grant = session.get_one(Grant, grant_id, populate_existing=True)
    change = session.get_one(ChangeRequest, grant.change_id, populate_existing=True)
    record(
        session,
        SERVICE,
        "change.finish" if persisted else "change.give_back",
        "change",
        show_number(change.number),
        "What was admitted was seen." if persisted else "What was admitted never came to be.",
        before={"state": State.IN_USE},
        after={"state": change.state, "grant": grant.state, "charge": str(charge_id)},
        at=now,
    )
    return True


def _finish(in_use: ColumnElement[bool]) -> tuple[Update, Update]:
    end = case((col(ChangeRequest.kind) == "emergency", State.POST_REVIEW), else_=State.CLOSED)
    return _move(in_use).values(state=end, open_digest=None), update(Grant).where(in_use).values(state="consumed")


def _give_back(in_use: ColumnElement[bool], now: datetime) -> tuple[Update, Update]:
    """Given back after its time, the grant is expired and its change has failed."""
    change_time = select(col(Grant.valid_until)).where(in_use).scalar_subquery()
    in_time = change_time > now
    state = case(
        (in_time, State.APPROVED),
        (col(ChangeRequest.kind) == "emergency", State.POST_REVIEW),
        else_=State.FAILED,
    )
    move = _move(in_use).values(state=state, open_digest=case((in_time, col(ChangeRequest.open_digest)), else_=None))
    grant_state = case((col(Grant.valid_until) > now, "active"), else_="expired")
    back = update(Grant).where(in_use).values(state=grant_state, charge_id=None, consumed_digest=None)
    return move, back


def _move(in_use: ColumnElement[bool]) -> Update:
    change_of = select(col(Grant.change_id)).where(in_use).scalar_subquery()
    return (
        update(ChangeRequest)
        .where(col(ChangeRequest.id) == change_of, col(ChangeRequest.state) == State.IN_USE)
        .values(version=col(ChangeRequest.version) + 1)
    )


def grant_for(change: ChangeRequest, terms: Terms) -> Grant:
    """The grant of a change that is approved on these terms: bound to the digest, or, for less, to the subject."""
    asks = Asks.from_dict(change.asks)
    ceiling = None if terms.ceiling is None else smaller(asks.after, terms.ceiling)
    return Grant(
        change_id=change.id,
        digest=change.digest,
        subject=change.subject,
        target=change.target,
        ceiling=None if ceiling is None else ceiling.as_dict(),
        allowances=allowances_of(asks, ceiling),
        waives=list(change.waives),
        valid_from=change.valid_from,
        valid_until=change.valid_until if terms.until is None else terms.until,
    )


def allowances_of(asks: Asks, ceiling: ResourceList | None) -> list[dict[str, Any]]:
    """By how much each node's guard must rise for the request to fit, as it stood when it was denied."""
    less = ResourceList() if ceiling is None else asks.after - ceiling
    raised = ((row, row.over(less[row.resource])) for row in asks.quota)
    return [
        {"node_id": row.node_id, "scope": row.scope, "resource": row.resource, "amount": amount}
        for row, amount in raised
        if amount > 0
    ]


def _fits(
    row: Mapping[str, Any], digest: str, subject: str, after: ResourceList, now: datetime, charges: Collection[UUID]
) -> bool:
    if not row["valid_from"] <= now < row["valid_until"]:
        return False
    if row["state"] == "in_use":
        return bool(row["consumed_digest"] == digest and row["charge_id"] in charges)
    if row["ceiling"] is None:
        return bool(row["digest"] == digest)
    return bool(row["subject"] == subject and after <= ResourceList(row["ceiling"]))
