"""Taking a signed checkpoint: verified against its attestor's key in force, written once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from governance.audit import log
from governance.compliance.attestation import Sealed, read, verify
from governance.compliance.model import Standing
from governance.compliance.tables import Attestor, CheckpointHead, CheckpointRow
from governance.db.insert import insert_into
from governance.db.session import transaction
from governance.db.together import database_time
from governance.db.types import new_id
from governance.errors import BadInput
from governance.identity.tables import Person

_AHEAD_MAX = timedelta(seconds=60)  # how far an attestor's clock may be ahead of the database's


@dataclass(frozen=True, slots=True)
class Recorded:
    """The row, and whether it is new."""

    row: CheckpointRow
    new: bool


def record(
    engine: Engine, body: bytes, *, person_id: UUID, actor: str, age_max: timedelta, request_id: str = ""
) -> Recorded:
    """Record a checkpoint and commit. The same statement again, however it is wrapped, is answered with the first.

    Args:
        body: a DSSE envelope.
        person_id, actor: who sends it; who vouches for it is the attestor.
        age_max: an older statement is refused.

    Raises:
        TooLarge, Malformed, BadInput: it is not one that may be recorded; names the field.
    """
    sealed = read(body)
    with transaction(engine) as session:
        attestor = _attestor(session, sealed)
        key_id = verify(sealed, attestor.public_key)
        known = _known(session, sealed)
        if known is not None:
            return Recorded(known, new=False)
        now = database_time(session)
        _refuse_untimely(sealed, now, age_max)
        row = _row(sealed, key_id, now, person_id)
        inserted = insert_into(session, CheckpointRow).values(**row).on_conflict_do_nothing()
        written = session.connection().execute(inserted.returning(col(CheckpointRow.id))).scalar()
        kept = _known(session, sealed)
        if kept is None:
            raise LookupError("a checkpoint that was written is not there")
        if written is not None:  # else somebody sent the same at the same moment
            take_the_head(session, kept)
            after = {name: row[name] for name in ("type", "result", "digest", "attestor", "statement_digest")}
            log.record(
                session,
                actor,
                "checkpoint.record",
                "checkpoint",
                str(kept.id),
                after=after,
                request_id=request_id,
                at=now,
            )
        return Recorded(kept, new=written is not None)


def take_the_head(session: Session, row: CheckpointRow) -> None:
    """Make it the attestor's newest, if it is. Two that come at once wait for each other."""
    named = {"digest": row.digest, "type": row.type, "attestor": row.attestor}
    after = {"checkpoint_id": row.id, "result": row.result, "at": row.at, "until": row.until}
    session.execute(insert_into(session, CheckpointHead).values(**named, **after).on_conflict_do_nothing())
    head = session.exec(select(CheckpointHead).filter_by(**named).with_for_update()).one()
    now, then = _standing(row), _standing(head)
    if now.is_newer(then):
        for name, value in after.items():
            setattr(head, name, value)
        session.add(head)
        session.flush()


def _standing(one: CheckpointRow | CheckpointHead) -> Standing:
    return Standing(one.type, one.digest, one.result, one.at, one.until)


def _attestor(session: Session, sealed: Sealed) -> Attestor:
    """The attestor that the statement names, if it may attest this type."""
    claimed = sealed.checkpoint
    rows = session.exec(select(Attestor).where(Attestor.name == claimed.attestor).order_by(Attestor.type)).all()
    if not rows:
        detail = f"There is no attestor {claimed.attestor}."
        raise BadInput(detail, field="predicate.attestor", remedy="An administrator can add an Attestor manifest.")
    found = next((one for one in rows if one.type == claimed.type), None)
    if found is None:
        owner = session.get(Person, rows[0].owner_id) if rows[0].owner_id else None
        types = ", ".join(one.type for one in rows)
        detail = f"{claimed.attestor} may attest {types}, and not {claimed.type}."
        remedy = "Name another attestor, or have its manifest list the type"
        remedy += f"; {owner.display_name} owns it." if owner else "."
        raise BadInput(detail, field="predicate.type", remedy=remedy)
    return found


def _known(session: Session, sealed: Sealed) -> CheckpointRow | None:
    same = CheckpointRow.statement_digest == sealed.statement_digest
    return session.exec(select(CheckpointRow).where(same)).one_or_none()


def _refuse_untimely(sealed: Sealed, now: datetime, age_max: timedelta) -> None:
    checkpoint = sealed.checkpoint
    if checkpoint.at > now + _AHEAD_MAX:
        raise BadInput("It lies in the future.", field="predicate.time", remedy="Set the attestor's clock.")
    if checkpoint.at < now - age_max:
        hours = int(age_max.total_seconds() // 3600)
        detail = f"It is more than {hours} hours ago."
        raise BadInput(detail, field="predicate.time", remedy="Check again, and record what comes of it.")
    if checkpoint.until is not None and checkpoint.until <= now:
        raise BadInput("It is past.", field="predicate.until", remedy="Check again, and record what comes of it.")


def _row(sealed: Sealed, key_id: str, now: datetime, person_id: UUID) -> dict[str, object]:
    checkpoint = sealed.checkpoint
    return {
        "id": new_id(),
        "type": checkpoint.type,
        "result": checkpoint.result,
        "digest": checkpoint.digest,
        "resource": checkpoint.resource,
        "control": checkpoint.control,
        "policy_digest": checkpoint.policy_digest,
        "attestor": checkpoint.attestor,
        "key_id": key_id,
        "at": checkpoint.at,
        "until": checkpoint.until,
        "waiver": checkpoint.waiver,
        "evidence": [{"name": one.name, "sha256": one.sha256} for one in checkpoint.evidence],
        "envelope": dict(sealed.document),
        "statement_digest": sealed.statement_digest,
        "recorded_at": now,
        "recorded_by": person_id,
    }
