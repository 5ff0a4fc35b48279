"""Recording a checkpoint: verified, kept once, in one transaction with its audit event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from governance.audit.log import record as audit
from governance.compliance.attestation import InvalidCheckpoint, Signed, public_key, read, signer_of
from governance.compliance.model import Checkpoint, Newest, is_newer
from governance.compliance.tables import Attestor, CheckpointHead, CheckpointRecord
from governance.db.insert import insert_into
from governance.db.session import transaction
from governance.errors import Forbidden

_AHEAD = timedelta(minutes=5)  # how far an attestor's clock may be ahead


class NotAllowed(Forbidden):
    title = "The attestor may not attest this"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends it, which need not be who signed it."""

    id: UUID
    name: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of it. `known`: the same was recorded before, and nothing was written."""

    row: CheckpointRecord
    known: bool


def record(engine: Engine, content: bytes, sender: Sender, now: datetime) -> Recorded:
    """Record the checkpoint in an envelope.

    Raises:
        InvalidCheckpoint, Malformed, TooLarge: it is none; names the field.
        UnknownSignature: no attestor in force signed it.
        NotAllowed: whoever signed it may not attest its type.
    """
    signed = read(content)
    _refuse_times(signed.checkpoint, now)
    with transaction(engine) as session:
        attestors = {one.name: one for one in session.exec(select(Attestor))}
        keys = {name: key for name, one in attestors.items() if (key := public_key(one.public_key)) is not None}
        attestor = attestors[signer_of(signed, keys)]
        if signed.checkpoint.type not in attestor.types:
            raise NotAllowed(
                f"{attestor.name} may attest {', '.join(attestor.types)}, and not {signed.checkpoint.type}.",
                field="predicate.type",
                remedy="Have another attestor sign it, or add the type to the Attestor manifest.",
            )
        return _store(session, signed, attestor, content, sender, now)


def _refuse_times(checkpoint: Checkpoint, now: datetime) -> None:
    if checkpoint.at > now + _AHEAD:
        raise InvalidCheckpoint(
            "predicate.at: it is in the future.", field="predicate.at", remedy="Set the attestor's clock."
        )
    if checkpoint.until is not None and checkpoint.until <= max(now, checkpoint.at):
        raise InvalidCheckpoint(
            "predicate.until: it has ended already.", field="predicate.until", remedy="Check the control again."
        )


def _store(
    session: Session, signed: Signed, attestor: Attestor, content: bytes, sender: Sender, now: datetime
) -> Recorded:
    one = signed.checkpoint
    row = CheckpointRecord(
        type=one.type,
        digest=one.digest,
        result=one.result,
        at=one.at,
        until=one.until,
        control=one.control,
        resource=one.resource,
        policy_digest=one.policy_digest,
        waiver=one.waiver,
        evidence=[dict(each) for each in one.evidence],
        attestor=attestor.name,
        public_key=attestor.public_key,
        sha256=signed.sha256,
        envelope=content.decode(),
        recorded_at=now,
        recorded_by=sender.id,
    )
    inserting = insert_into(session, CheckpointRecord).values(row.model_dump()).on_conflict_do_nothing()
    if session.execute(inserting.returning(col(CheckpointRecord.id))).first() is None:
        return Recorded(session.exec(select(CheckpointRecord).where(CheckpointRecord.sha256 == row.sha256)).one(), True)
    _take_the_head(session, one, row.id)
    told = {"type": one.type, "digest": one.digest, "result": one.result, "attestor": attestor.name}
    audit(
        session,
        sender.name,
        "checkpoint.record",
        "checkpoint",
        str(row.id),
        after={**told, "at": one.at.isoformat()},
        request_id=sender.request_id,
        at=now,
    )
    return Recorded(row, known=False)


def _take_the_head(session: Session, one: Checkpoint, id_: UUID) -> None:
    """Make it the newest of its type and digest, if it is. Two that come at once wait for each other."""
    after = {"checkpoint_id": id_, "result": one.result, "at": one.at, "until": one.until}
    inserting = insert_into(session, CheckpointHead).values(digest=one.digest, type=one.type, **after)
    if session.execute(inserting.on_conflict_do_nothing().returning(col(CheckpointHead.digest))).first() is not None:
        return
    of_it = select(CheckpointHead).where(CheckpointHead.digest == one.digest, CheckpointHead.type == one.type)
    head = session.exec(of_it.with_for_update()).one()
    if is_newer(one, Newest(head.type, head.digest, head.result, head.at, head.until)):
        for name, value in after.items():
            setattr(head, name, value)
        session.add(head)
        session.flush()
