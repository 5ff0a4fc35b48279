"""Who watches a cluster: one writer at a time, fenced by the epoch of its lease; and when the cluster enforces."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, update
from sqlmodel import col

from governance.db.session import transaction
from governance.db.together import database_time
from governance.quota.observe import Writer
from governance.quota.tables import Scope


def acquire(engine: Engine, cluster: str, holder: str, life_s: int) -> Writer | None:
    """Take the watch of a cluster if nobody holds it, or take it again. A new lease has a new epoch.

    Args:
        holder: names this process among its copies.
        life_s: seconds after which somebody else may take it, unless it is renewed.

    Returns:
        the writer to observe as; None while somebody else holds the lease, or the cluster is not configured.
    """
    with transaction(engine) as session:
        row = session.get(Scope, cluster, with_for_update=True)
        now = database_time(session)
        if row is None or (row.writer_until is not None and row.writer_until > now and row.writer != holder):
            return None
        row.writer, row.writer_epoch, row.writer_until = holder, row.writer_epoch + 1, now + timedelta(seconds=life_s)
        session.add(row)
        return Writer(row.writer_epoch)


def renew(engine: Engine, cluster: str, writer: Writer, life_s: int) -> bool:
    """Keep the lease; False if it was taken by another."""
    with transaction(engine) as session:
        until = database_time(session) + timedelta(seconds=life_s)
        mine = update(Scope).where(col(Scope.name) == cluster, col(Scope.writer_epoch) == writer.epoch)
        return bool(session.connection().execute(mine.values(writer_until=until)).rowcount)


def relisted(engine: Engine, cluster: str, writer: Writer) -> bool:
    """Note that everything that exists was charged. A cluster that observed until then enforces from now on.

    A writer whose lease is over says nothing: what it charged may be of an epoch that a rebuild has ended.

    Returns:
        whether the mode changed.
    """
    with transaction(engine) as session:
        now = database_time(session)
        mine = update(Scope).where(col(Scope.name) == cluster, col(Scope.writer_epoch) == writer.epoch)
        session.connection().execute(mine.values(relisted_at=now))
        first = mine.where(col(Scope.mode) == "observe").values(mode="enforce")
        return bool(session.connection().execute(first).rowcount)
