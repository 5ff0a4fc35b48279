"""Turning enforcement off for a stated time, and on again. Each is an audit event of the same transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from governance.audit.log import record
from governance.change.submit import check_words
from governance.db.together import database_time
from governance.errors import BadInput, Conflict
from governance.identity.model import Principal
from governance.operations.clusters import Standing, standing, unknown
from governance.quota.model import mode_at
from governance.quota.tables import Scope


def warn(
    session: Session,
    name: str,
    time: timedelta,
    reason: str,
    by: Principal,
    *,
    longest: timedelta,
    request_id: str = "",
) -> Standing:
    """Let the cluster warn from now on, for this time; afterwards it enforces again, without anybody doing anything.

    What would be denied is allowed with the denial's sentence as a warning, and charged; what is then above a limit
    shows as a breach. Again while it holds: from now on, for this time.

    Args:
        longest: what the installation's settings allow.

    Raises:
        NotFound; Conflict: it observes still; BadInput: no reason, or a time that is too long.
    """
    reason, _ = check_words(reason, "")
    if not timedelta() < time <= longest:
        hours = longest / timedelta(hours=1)
        raise BadInput(
            f"A cluster may warn for at most {hours:g} hours.",
            field="minutes",
            remedy="Choose a shorter time; the limit is the setting operations.warn_hours_max.",
        )
    row, now = locked_cluster(session, name), database_time(session)
    _check_charged(row)
    before = _told(row, now)
    row.mode, row.warn_until, row.warn_by, row.warn_reason = "warn", now + time, by.display_name, reason
    return _switched(session, row, "cluster.warn", before, reason, by, now, request_id)


def enforce(session: Session, name: str, reason: str, by: Principal, *, request_id: str = "") -> Standing:
    """Let the cluster enforce from now on. Nothing happens where it does already.

    Raises:
        NotFound; Conflict: it observes still; BadInput: no reason.
    """
    reason, _ = check_words(reason, "")
    row, now = locked_cluster(session, name), database_time(session)
    _check_charged(row)
    if mode_at(row.mode, row.warn_until, now) == "enforce":
        return standing(session, name)
    before = _told(row, now)
    row.mode, row.warn_until, row.warn_by, row.warn_reason = "enforce", None, "", ""
    return _switched(session, row, "cluster.enforce", before, reason, by, now, request_id)


def locked_cluster(session: Session, name: str) -> Scope:
    """The cluster's row, locked until the transaction ends. Raises NotFound."""
    row = session.get(Scope, name, with_for_update=True)
    if row is None or row.kind != "kubernetes":
        raise unknown(name)
    return row


def _check_charged(row: Scope) -> None:
    if row.mode == "observe":
        raise Conflict(
            f"{row.name} observes: nothing is denied there yet.",
            remedy="It enforces by itself once everything that exists is charged; see: governance doctor.",
        )


def _told(row: Scope, now: datetime) -> dict[str, str | None]:
    mode = mode_at(row.mode, row.warn_until, now)
    until = row.warn_until.isoformat() if row.warn_until and mode == "warn" else None
    return {"mode": mode, "warn_until": until}


def _switched(
    session: Session,
    row: Scope,
    action: str,
    before: dict[str, str | None],
    reason: str,
    by: Principal,
    now: datetime,
    request_id: str,
) -> Standing:
    session.add(row)
    after = _told(row, now)
    record(
        session, by.name, action, "cluster", row.name, reason, before=before, after=after, request_id=request_id, at=now
    )
    session.flush()
    return standing(session, row.name)
