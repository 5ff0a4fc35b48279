"""How the clusters stand: the mode in force, who follows them, what nobody ruled on in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from governance.db.together import database_time
from governance.errors import NotFound
from governance.quota.model import mode_at
from governance.quota.tables import ChargeObject, Scope


@dataclass(frozen=True, slots=True)
class Warned:
    """A switch to warn that holds: until when, by whom, why."""

    until: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A cluster at the database's time."""

    name: str
    mode: str  # in force: observe, enforce, warn
    warned: Warned | None
    followed_by: str | None  # while the lease holds
    followed_until: datetime | None
    relisted_at: datetime | None  # when everything that exists was charged, last
    epoch: int
    overdue: int  # objects whose pendings nobody ruled on in time


def standings(session: Session, *, grace: timedelta = timedelta()) -> list[Standing]:
    """Every cluster, by name.

    Args:
        grace: how long after its deadline a pending is overdue.
    """
    now = database_time(session)
    late = (
        select(ChargeObject.scope, func.count())
        .where(col(ChargeObject.deadline) < now - grace)
        .group_by(ChargeObject.scope)
    )
    overdue = dict(session.exec(late).all())
    rows = session.exec(select(Scope).where(Scope.kind == "kubernetes").order_by(Scope.name))
    return [standing_of(row, now, overdue.get(row.name, 0)) for row in rows]


def standing(session: Session, name: str) -> Standing:
    """One cluster. Raises NotFound."""
    row = session.get(Scope, name)
    if row is None or row.kind != "kubernetes":
        raise unknown(name)
    now = database_time(session)
    late = select(func.count()).where(ChargeObject.scope == name, col(ChargeObject.deadline) < now)
    return standing_of(row, now, session.exec(late).one())


def standing_of(row: Scope, now: datetime, overdue: int) -> Standing:
    """From a cluster's row."""
    followed = row.writer is not None and row.writer_until is not None and row.writer_until > now
    return Standing(
        name=row.name,
        mode=mode_at(row.mode, row.warn_until, now),
        warned=warned_of(row, now),
        followed_by=row.writer if followed else None,
        followed_until=row.writer_until if followed else None,
        relisted_at=row.relisted_at,
        epoch=row.epoch,
        overdue=overdue,
    )


def warned_of(row: Scope, now: datetime) -> Warned | None:
    """The switch to warn, while it holds."""
    if row.warn_until is None or mode_at(row.mode, row.warn_until, now) != "warn":
        return None
    return Warned(row.warn_until, row.warn_by, row.warn_reason)


def unknown(name: str) -> NotFound:
    """What is said of a cluster that no manifest names."""
    return NotFound(f"There is no cluster {name}.", field="cluster", remedy="See: governance cluster list.")
