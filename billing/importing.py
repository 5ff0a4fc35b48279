"""Importing: what a source tells of a billing period replaces what it told before, whole, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from billing.sources.focus import Part
from billing.tables import CostBatch, CostHead
from governance.audit.log import record
from governance.db.insert import insert_into


@dataclass(frozen=True, slots=True)
class Origin:
    """Where lines come from. `sha256`: of what was read, so that the same again is known to be the same."""

    source: str
    export: str
    sha256: str
    execution_id: str = ""


@dataclass(frozen=True, slots=True)
class Switched:
    """What became of a part. `changed`: it is in force now, and was not before."""

    part: Part
    changed: bool


def switch(
    session: Session, origin: Origin, parts: Sequence[Part], *, by: UUID, actor: str, now: datetime
) -> tuple[Switched, ...]:
    """Put parts in force, in the caller's transaction. What is in force already changes nothing."""
    return tuple(Switched(part, _switch(session, origin, part, by, actor, now)) for part in parts)


def _switch(session: Session, origin: Origin, part: Part, by: UUID, actor: str, now: datetime) -> bool:
    at: dict[str, Any] = {"source": origin.source, "export": origin.export, "period": part.period}
    batch = session.exec(
        select(CostBatch).filter_by(**at, execution_id=origin.execution_id, sha256=origin.sha256)  # it may come back
    ).one_or_none()
    if batch is None:
        batch = CostBatch(
            **at,
            execution_id=origin.execution_id,
            sha256=origin.sha256,
            file=part.file,
            lines=part.lines,
            totals=texts(part.totals),
            created_at=now,
            created_by=by,
        )
        session.add(batch)
        session.flush()
    head = select(CostHead).filter_by(**at).with_for_update()
    before = session.exec(head).one_or_none()
    if before is not None and before.batch_id == batch.id:
        return False
    after = {"batch_id": batch.id, "since": now}
    session.execute(
        insert_into(session, CostHead)
        .values(**at, **after)
        .on_conflict_do_update(index_elements=["source", "export", "period"], set_=after)
    )
    told = {"batch": str(batch.id), "sha256": batch.sha256, "lines": batch.lines, "totals": batch.totals}
    earlier = {"batch": str(before.batch_id)} if before else None
    record(
        session,
        actor,
        "billing.import",
        "cost_lines",
        f"{origin.source}/{origin.export}/{part.period}",
        before=earlier,
        after=told,
        at=now,
    )
    return True


def executions_in_force(session: Session, source: str, export: str) -> dict[str, str]:
    """The provider's own id of the execution that is in force, by month."""
    joined = select(CostHead.period, CostBatch.execution_id).join(
        CostBatch, col(CostBatch.id) == col(CostHead.batch_id)
    )
    return dict(session.exec(joined.where(CostHead.source == source, CostHead.export == export)).all())


def texts(totals: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Totals as they are stored and told: decimal numbers as text."""
    return {
        currency: {name: f"{value:f}" for name, value in amounts.items()}
        for currency, amounts in sorted(totals.items())
    }
