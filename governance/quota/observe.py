"""Observe: what the watch saw is recorded, never refused. Credits, adoptions and breaches come from here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlmodel import Session, col

from governance.db.failures import collided
from governance.db.session import reading, transaction
from governance.errors import Conflict, DatabaseUnavailable, LedgerConflict
from governance.quota.facts import read
from governance.quota.plan import ObjectRef, Observation, Plan, Settled
from governance.quota.settle import settle, version_number
from governance.quota.tables import ChargeObject, Scope
from governance.quota.write import Moved, write

_ATTEMPTS_MAX = 20  # an admission may win a race; twenty in a row is no race

OnSettled = Callable[[Session, Settled], object]
"""What else to do in the same transaction when an admitted write is settled: its grant is final, or given back."""


class Fenced(Conflict):
    """Another writer has taken over the watch of this cluster."""

    title = "Another writer watches this cluster"


@dataclass(frozen=True, slots=True)
class Writer:
    """Who observes: the epoch of its lease on the cluster's watch. `epoch` 0 is not fenced (rebuild, tests)."""

    epoch: int = 0


def observe(
    engine: Engine,
    seen: Observation,
    *,
    now: datetime,
    on_settled: OnSettled = lambda *_: None,
    writer: Writer = Writer(),
) -> Plan:
    """Record one event, or one object of a LIST, in a transaction of its own.

    Returns:
        what was written; empty for an event that is a duplicate, late, or says nothing new.

    Raises:
        Fenced: the writer's lease on the watch is over; it must stop.
        LedgerConflict: admissions moved the charge twenty times in a row.
        DatabaseUnavailable: it was not written; observe it again.
    """
    for _ in range(_ATTEMPTS_MAX):
        try:
            with transaction(engine) as session:
                _fence(session, seen.ref.scope, writer)
                plan = settle(read(session, seen.ref), seen)
                if not plan.charges and not plan.objects:
                    return plan
                if not isinstance(_write(session, plan, now, on_settled), Moved):
                    session.commit()
                    return plan
                session.rollback()
        except DatabaseUnavailable as error:
            if not collided(error):
                raise
    raise LedgerConflict(f"{seen.ref.native_id} is written too often to be observed.", remedy="Observe it again.")


def observe_list(
    engine: Engine,
    scope: str,
    kind: str,
    listed: Iterable[Observation],
    *,
    unread: Collection[str] = (),
    version: str,
    begun_at: datetime,
    now: datetime,
    on_settled: OnSettled = lambda *_: None,
    writer: Writer = Writer(),
) -> int:
    """Record a complete quorum LIST of one kind: what it holds, and that the rest is not there.

    Args:
        listed: an Observation for each object that could be understood, with `listed_at` set to when the LIST began.
        unread: the uids of those that could not: they are there all the same, and stay as they were.
        version: the LIST's resourceVersion.
        begun_at: when it began, by the database's clock: pendings whose deadline was earlier are ruled on.

    Returns:
        how many observations changed the ledger.
    """
    present = {one.ref.uid: one for one in listed}
    absent = [
        Observation(ref, version, listed_at=begun_at)
        for ref, observed_version in _known(engine, scope, kind)
        if ref.uid not in present
        and ref.uid not in unread
        and version_number(observed_version) <= version_number(version)
    ]
    plans = [
        observe(engine, one, now=now, on_settled=on_settled, writer=writer) for one in (*present.values(), *absent)
    ]
    return sum(1 for plan in plans if plan.objects)


def overdue(session: Session, scope: str, now: datetime) -> list[str]:
    """The kinds of this cluster that have pendings past their deadline: each needs a quorum LIST begun now."""
    statement = (
        select(col(ChargeObject.kind))
        .where(col(ChargeObject.scope) == scope, col(ChargeObject.deadline) < now)
        .distinct()
    )
    return sorted(session.scalars(statement))


def _write(session: Session, plan: Plan, now: datetime, on_settled: OnSettled) -> object:
    charge_id = max((one.id for one in plan.charges if one.level), default=None)
    written = write(session, plan, now=now, forced=True, seen=True, charge_id=charge_id)
    if not isinstance(written, Moved):
        for one in plan.settled:
            on_settled(session, one)
    return written


def _fence(session: Session, scope: str, writer: Writer) -> None:
    if not writer.epoch:
        return
    statement = select(col(Scope.writer_epoch)).where(col(Scope.name) == scope).with_for_update(read=True)
    if session.scalar(statement) != writer.epoch:
        raise Fenced(f"The watch of {scope} has another writer.", remedy="Stop; the other one goes on.")


def _known(engine: Engine, scope: str, kind: str) -> list[tuple[ObjectRef, str]]:
    with reading(engine) as session:
        statement = select(ChargeObject).where(
            col(ChargeObject.scope) == scope, col(ChargeObject.kind) == kind, col(ChargeObject.gone).is_(False)
        )
        return [
            (
                ObjectRef(scope, one.namespace, one.name, kind, one.uid, one.owner_uid),
                one.observed_version or "",
            )
            for one in session.scalars(statement)
        ]
