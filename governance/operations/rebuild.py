"""Beginning anew with a cluster, after a restore of its etcd or of this database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from governance.audit.log import record
from governance.change.endings import void_grants
from governance.change.submit import check_words
from governance.db.together import database_time
from governance.identity.model import Principal
from governance.operations.clusters import Standing, standing
from governance.operations.switch import locked_cluster
from governance.quota import totals
from governance.quota.model import mode_at

_PATIENCE_MS = 25_000  # every total is derived again; the command line waits 30 s


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The cluster as it stands now, and the changes whose grants were voided."""

    standing: Standing
    voided: tuple[str, ...]


def rebuild(session: Session, name: str, reason: str, by: Principal, *, request_id: str = "") -> Rebuilt:
    """Begin a new epoch: the cluster observes until its next full list is charged, then enforces.

    Nobody knows what happened between the backup and the restore, so versions of the former epoch are forgotten, every
    total is derived again, and grants that were not used yet are void: one may have been used in the time that was
    lost. Grants in use are settled by the list, as ever.

    Raises:
        NotFound; BadInput: no reason.
    """
    reason, _ = check_words(reason, "")
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SET LOCAL statement_timeout = {_PATIENCE_MS}"))
    row = locked_cluster(session, name)
    now = database_time(session)
    before = {"mode": mode_at(row.mode, row.warn_until, now), "epoch": row.epoch}
    totals.rebuild(session, name, now)
    why = f"The ledger of {name} was rebuilt: {reason}"
    voided = void_grants(session, name, by.person_id, why, now, request_id=request_id)
    session.refresh(row)
    after = {"mode": row.mode, "epoch": row.epoch, "voided": voided}
    record(
        session,
        by.name,
        "cluster.rebuild",
        "cluster",
        name,
        reason,
        before=before,
        after=after,
        request_id=request_id,
        at=now,
    )
    session.flush()
    return Rebuilt(standing(session, name), tuple(voided))
