"""Sealing: the events that no segment holds yet become the next segment, and its signed head leaves this host.

Run every second or so, by as many processes as like: a lock lets one of them at a time seal.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, func, update
from sqlmodel import Session, col, select

from governance.audit import chain
from governance.audit.chain import EVENT_FIELDS, SignedHead
from governance.audit.tables import AuditEvent, AuditSegment
from governance.db.session import reading, transaction
from governance.errors import Conflict

EVENTS_MAX = 5000
_LOCK = 0x61756469745F7331  # "audit_s1": the advisory lock of whoever seals
_SHIPPED_AT_ONCE_MAX = 1000


def seal(engine: Engine, key: Ed25519PrivateKey, now: datetime) -> AuditSegment | None:
    """Seal what is not sealed, at most 5,000 events, oldest first.

    An event is sealed after it was committed: one that commits late stands in a later segment.

    Returns:
        the new segment; None if there is nothing to seal, or somebody else is sealing.
    """
    with reading(engine) as session:  # so that an idle installation takes no write lock
        if session.exec(select(AuditEvent.id).where(col(AuditEvent.segment).is_(None)).limit(1)).first() is None:
            return None
    with transaction(engine) as session:
        return _seal(session, key, now) if _locked(session) else None


def seal_and_ship(engine: Engine, key: Ed25519PrivateKey, ship_to: Path | None, now: datetime) -> AuditSegment | None:
    """One turn of the sealer: seal, then ship every head that has not left yet."""
    segment = seal(engine, key, now)
    if ship_to is not None:
        ship(engine, ship_to, now)
    return segment


def ship(engine: Engine, folder: Path, now: datetime) -> int:
    """Write the heads that were not shipped yet, one file each, in a folder per day. Returns how many.

    A file is written beside its place and moved there, so that a reader sees a whole head or none. A head is marked as
    shipped afterwards: a crash in between ships it again, with the same bytes.

    Raises:
        Conflict: another head of that number lies there already: two histories were sealed.
    """
    query = select(AuditSegment).where(col(AuditSegment.shipped_at).is_(None)).order_by(col(AuditSegment.number))
    with reading(engine) as session:
        heads = [head_of(segment) for segment in session.exec(query.limit(_SHIPPED_AT_ONCE_MAX))]
    for head in heads:
        _write(folder, head)
    if heads:
        shipped = col(AuditSegment.number).in_([head.number for head in heads])
        with transaction(engine) as session:
            session.exec(update(AuditSegment).where(shipped).values(shipped_at=now))
    return len(heads)


def shipped_path(folder: Path, head: SignedHead) -> Path:
    """Where a head lies: `2026-11-23/0000001042.json`."""
    return folder / f"{head.sealed_at:%Y-%m-%d}" / f"{head.number:010d}.json"


def read_shipped(folder: Path) -> list[SignedHead]:
    """Every head in a folder that was shipped to, by number.

    Raises ValueError for a file that holds no head, and for a folder that holds none at all: whoever mistypes its name
    must not be told that the log was compared.
    """
    heads = []
    for path in sorted(folder.glob("*/*.json")):
        try:
            heads.append(chain.head_from(json.loads(path.read_bytes())))
        except (ValueError, TypeError, RecursionError):
            raise ValueError(f"{path} holds no head") from None
    if not heads:
        raise ValueError(f"{folder} holds no heads")
    return sorted(heads, key=lambda head: head.number)


def head_of(segment: Any) -> SignedHead:  # noqa: ANN401  (a row of the table, or of its columns)
    """The head as a value."""
    return SignedHead(
        number=segment.number,
        size=segment.size,
        root=segment.root,
        previous=segment.previous,
        sealed_at=segment.sealed_at,
        key_id=segment.key_id,
        head=segment.head,
        signature=segment.signature,
    )


def fields_of(event: Any) -> dict[str, Any]:  # noqa: ANN401  (a row of the table, or of its columns)
    """The event as it is hashed and exported."""
    values = {name: getattr(event, name) for name in EVENT_FIELDS}
    return {**values, "id": str(event.id), "at": chain.instant(event.at)}


def _seal(session: Session, key: Ed25519PrivateKey, now: datetime) -> AuditSegment | None:
    query = select(AuditEvent).where(col(AuditEvent.segment).is_(None))
    events = list(session.exec(query.order_by(col(AuditEvent.at), col(AuditEvent.id)).limit(EVENTS_MAX)))
    if not events:
        return None
    last = session.exec(select(AuditSegment).order_by(col(AuditSegment.number).desc()).limit(1)).first()
    number = last.number + 1 if last else 1
    leaves = [chain.leaf(fields_of(event)) for event in events]
    head = chain.seal(number, leaves, last.head if last else chain.GENESIS, now, key)
    segment = AuditSegment(
        number=head.number,
        size=head.size,
        root=head.root,
        previous=head.previous,
        head=head.head,
        signature=head.signature,
        key_id=head.key_id,
        sealed_at=head.sealed_at,
    )
    session.add(segment)
    for position, event in enumerate(events):
        event.segment, event.position = number, position
    session.flush()
    return segment


def _locked(session: Session) -> bool:
    """SQLite's one writer is lock enough; on PostgreSQL the lock is given up when the transaction ends."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(session.exec(select(func.pg_try_advisory_xact_lock(_LOCK))).one())


def _write(folder: Path, head: SignedHead) -> None:
    path = shipped_path(folder, head)
    content = chain.canonical(chain.head_as_dict(head)) + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if path.read_bytes() != content:
            raise Conflict(
                f"Another head {head.number} lies in {path.parent.name} already.",
                remedy="Keep both, and find out which database is the copy.",
            )
        return
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
