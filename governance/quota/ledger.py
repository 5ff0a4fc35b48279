"""Reserve: an admission sets a charge to its new level, guarded by every limit up to the root, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, Update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Session

from governance.db.base import Table
from governance.db.session import transaction, unavailable
from governance.errors import DatabaseUnavailable
from governance.quota import guard
from governance.quota.model import AllowanceState
from governance.quota.plan import Plan, Proposal
from governance.quota.write import Moved, Refused, Reserved, Written, create_usage, insert_rows, write

_COLLISIONS = {
    "40001",  # serialization failure
    "40P01",  # deadlock
    "23505",  # unique violation
    "SQLITE_CONSTRAINT_UNIQUE",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
}


def reserve(
    engine: Engine,
    proposal: Proposal,
    *,
    now: datetime,
    alongside: Sequence[Table] = (),
    extra: Sequence[Update] = (),
    allowances: Sequence[AllowanceState] = (),
    forced: bool = False,
) -> Written:
    """Write a proposal and commit.

    Args:
        now: the database's time, as read with the facts.
        alongside: rows to insert in the same transaction: the decision and its audit event.
        extra: updates that must each change exactly one row (a grant is consumed); else nothing is written.
        allowances: what a consumed grant allows; they raise the guard in the same transaction.
        forced: never refused (a cluster that observes, a rule that warns); what is above a limit opens a breach.

    Returns:
        Reserved; Refused with the positions that would go over; Moved if the facts are no longer true: read again.

    Raises:
        DatabaseUnavailable: it could not be written, or nobody knows whether it was; repeating it changes nothing.
    """
    simple = not (extra or allowances or forced) and guard.fits(proposal)
    try:
        if engine.dialect.name == "postgresql" and simple:
            return _reserve_in_one(engine, proposal, alongside, now)
        with transaction(engine) as session:
            return _reserve(session, proposal, now, alongside, extra, allowances, forced=forced)
    except (DBAPIError, PoolTimeoutError, DatabaseUnavailable) as error:
        if collided(error):
            return Moved()
        if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError):
            raise unavailable(error) from error
        raise


def collided(error: Exception) -> bool:
    """Whether two writers met (a unique key, a deadlock), which is no failure: the later one reads again."""
    failure = error.__cause__ if isinstance(error, DatabaseUnavailable) else error
    cause = failure.orig if isinstance(failure, DBAPIError) else None
    return getattr(cause, "sqlstate", getattr(cause, "sqlite_errorname", None)) in _COLLISIONS


def _reserve_in_one(engine: Engine, proposal: Proposal, alongside: Sequence[Table], now: datetime) -> Written:
    answer = guard.reserve_in_one(engine, proposal, alongside, now)
    if answer.unmoved and not answer.complete:
        with transaction(engine) as session:
            create_usage(session, _usage_keys(proposal.plan))
        answer = guard.reserve_in_one(engine, proposal, alongside, now)
    if not (answer.unmoved and answer.complete):
        return Moved()
    if not answer.within:
        return Refused(tuple(one for one in answer.positions if one.refused))
    return Reserved(answer.positions)


def _usage_keys(plan: Plan) -> dict[tuple[str, str], int]:
    resources = sorted(plan.deltas().get(plan.path, ()))
    return {
        (node, resource): len(plan.path) - 1 - place for place, node in enumerate(plan.path) for resource in resources
    }


def _reserve(
    session: Session,
    proposal: Proposal,
    now: datetime,
    alongside: Sequence[Table],
    extra: Sequence[Update],
    allowances: Sequence[AllowanceState],
    *,
    forced: bool,
) -> Written:
    written = write(session, proposal.plan, now=now, forced=forced, allowances=allowances, charge_id=proposal.charge_id)
    if isinstance(written, Reserved):
        if all(session.connection().execute(one).rowcount == 1 for one in extra):
            insert_rows(session, alongside)
            return written
        written = Moved()
    session.rollback()
    return written
