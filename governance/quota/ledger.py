"""Reserve: an admission sets a charge to its new level, guarded by every limit up to the root, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

import psycopg
from sqlalchemy import Engine, Update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from governance.db.base import NewRow
from governance.db.failures import collided
from governance.db.lane import Lane
from governance.db.session import lane_of, transaction
from governance.errors import DatabaseUnavailable
from governance.quota import guard
from governance.quota.model import AllowanceState
from governance.quota.plan import Plan, Proposal
from governance.quota.write import Moved, Refused, Reserved, Written, create_usage, insert_rows, write


@dataclass(frozen=True, slots=True)
class Reservation:
    """A proposal and what is written with it.

    `now`: the database's time, as read with the facts. `alongside`: rows to insert in the same transaction (the
    decision and its audit event). `extra`: updates that must each change exactly one row (a grant is consumed), else
    nothing is written. `allowances`: what a consumed grant allows; they raise the guard. `forced`: never refused (a
    cluster that observes, a rule that warns); what is above a limit opens a breach.
    """

    proposal: Proposal
    now: datetime
    alongside: Sequence[NewRow] = ()
    extra: Sequence[Update] = ()
    allowances: Sequence[AllowanceState] = ()
    forced: bool = False


def reserve(engine: Engine, what: Reservation, ends: float = inf) -> Written:
    """Write a proposal and commit.

    Args:
        ends: when to give up, on the monotonic clock.

    Returns:
        Reserved; Refused with the positions that would go over; Moved if the facts are no longer true: read again.

    Raises:
        DatabaseUnavailable: it could not be written, or nobody knows whether it was; repeating it changes nothing.
    """
    lane = lane_of(engine)
    try:
        if lane is not None and not (what.extra or what.allowances or what.forced) and guard.fits(what.proposal):
            return _reserve_in_one(engine, lane, what, ends)
        with transaction(engine, ends) as session:
            return reserve_in(session, what)
    except (DBAPIError, DatabaseUnavailable, psycopg.Error) as error:
        if collided(error):
            return Moved()
        raise


def reserve_in(session: Session, what: Reservation) -> Written:
    """The same in the caller's transaction, which is rolled back unless the answer is Reserved."""
    written = write(
        session,
        what.proposal.plan,
        now=what.now,
        forced=what.forced,
        allowances=what.allowances,
        charge_id=what.proposal.charge_id,
    )
    if isinstance(written, Reserved):
        if all(session.connection().execute(one).rowcount == 1 for one in what.extra):
            insert_rows(session, what.alongside)
            return written
        written = Moved()
    session.rollback()
    return written


def _reserve_in_one(engine: Engine, lane: Lane, what: Reservation, ends: float) -> Written:
    answer = guard.reserve_in_one(lane, what.proposal, what.alongside, what.now, ends)
    if answer.unmoved and not answer.complete:
        with transaction(engine, ends) as session:
            create_usage(session, _usage_keys(what.proposal.plan))
        answer = guard.reserve_in_one(lane, what.proposal, what.alongside, what.now, ends)
    if not (answer.unmoved and answer.complete):
        return Moved()
    if not answer.within:
        return Refused(answer.over)
    return Reserved()


def _usage_keys(plan: Plan) -> dict[tuple[str, str], int]:
    resources = sorted(plan.deltas().get(plan.path, ()))
    return {
        (node, resource): len(plan.path) - 1 - place for place, node in enumerate(plan.path) for resource in resources
    }
