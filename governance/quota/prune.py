"""Forgetting objects that are gone: charges, decisions and the audit log stay, the objects below them need not."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Delete, Engine, case, delete, exists, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from governance.db.session import transaction
from governance.quota.model import LIVE
from governance.quota.tables import Charge, ChargeObject

KEPT = timedelta(days=1)
"""For how long an object that is gone is kept, so that a late event does not bring it back. An API server's watch
reaches back minutes (etcd is compacted every five), its events an hour; a writer that was away longer lists anew."""

_BATCH = 500  # short transactions: nobody waits for a cleaner
_BATCHES_MAX = 20


def prune(engine: Engine, now: datetime, *, batch: int = _BATCH) -> int:
    """Delete what has been gone for a day and is needed by nothing in the ledger. Returns how many objects.

    Kept are roots of charges that are live or that other objects belong to, objects with others below them, and what
    waits to be seen. Once those below are deleted their owners can be, in a later run.
    """
    deleted = 0
    for _ in range(_BATCHES_MAX):
        with transaction(engine) as session:
            found = session.connection().execute(_deletion(now - KEPT, batch)).rowcount
        deleted += found
        if found < batch:
            break
    return deleted


def _deletion(before: datetime, limit: int) -> Delete:
    """Of at most so many objects, the longest gone first; rows that somebody is at are left for the next run."""
    chosen, other = aliased(ChargeObject), aliased(ChargeObject)
    below = exists().where(col(other.scope) == col(chosen.scope), col(other.parent_uid) == col(chosen.uid))
    of_its_charge = exists().where(col(other.charge_id) == col(Charge.id), col(other.id) != col(chosen.id))
    its_charge_needs_it = exists().where(
        col(Charge.scope) == col(chosen.scope),
        col(Charge.incarnation) == col(chosen.uid),
        or_(col(Charge.state).in_(LIVE), of_its_charge.correlate(Charge, chosen)),
    )
    waits = case((col(chosen.deadline).is_(None), 0), else_=1)  # so that its index is not taken: nearly none waits
    gone = (
        select(col(chosen.id))
        .where(col(chosen.gone), col(chosen.seen_at) < before, waits == 0)
        .where(~below.correlate(chosen), ~its_charge_needs_it.correlate(chosen))
        .order_by(col(chosen.seen_at))
        .limit(limit)
        .with_for_update(skip_locked=True, of=chosen)
    )
    return delete(ChargeObject).where(col(ChargeObject.id).in_(gone))
