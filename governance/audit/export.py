"""An export of the sealed log: JSON lines, each in canonical bytes. `verify` reads it, offline, anywhere.

    {"format":"governance-audit","version":1}
    {"event":{...}}          the events of segment 1, in the order of its tree
    {"head":{...}}           its signed head
    {"event":{...}}          ...

Events that are not sealed yet are not exported: nothing vouches for them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col

from governance.audit import chain
from governance.audit.seal import fields_of, head_of
from governance.audit.tables import AuditEvent, AuditSegment
from governance.db.base import Table

HEADER = chain.canonical({"format": "governance-audit", "version": 1})
_SEGMENTS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds. `last_head` is what to compare with a head kept elsewhere; empty: nothing was sealed."""

    events: int
    segments: int
    last_head: str


def export(session: Session, path: Path) -> Exported:
    """Write the whole sealed log. The file is there whole, or not at all."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    events = segments = 0
    try:
        with beside.open("wb") as file:
            for line in lines(session):
                file.write(line)
                events += line.startswith(b'{"event":')
                segments += line.startswith(b'{"head":')
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    last = session.scalar(select(col(AuditSegment.head)).where(col(AuditSegment.number) == segments))
    return Exported(events, segments, last or "")


def lines(session: Session) -> Iterator[bytes]:
    """The same, line by line, for whoever sends it on. What is sealed meanwhile is left out."""
    yield HEADER + b"\n"
    newest = session.scalar(select(func.max(AuditSegment.number))) or 0
    for first in range(1, newest + 1, _SEGMENTS_AT_ONCE):
        last = min(newest, first + _SEGMENTS_AT_ONCE - 1)
        yield from _segments(session, first, last)


def _segments(session: Session, first: int, last: int) -> Iterator[bytes]:
    segments = session.execute(
        select(*_columns(AuditSegment, chain.SignedHead.__slots__))
        .where(col(AuditSegment.number).between(first, last))
        .order_by(col(AuditSegment.number))
    ).all()
    events = session.execute(
        select(*_columns(AuditEvent, (*chain.EVENT_FIELDS, "segment")))
        .where(col(AuditEvent.segment).between(first, last))
        .order_by(col(AuditEvent.segment), col(AuditEvent.position))
    ).all()
    of_segment = {number: list(those) for number, those in groupby(events, lambda event: event.segment)}
    for segment in segments:
        for event in of_segment.get(segment.number, ()):
            yield chain.canonical({"event": fields_of(event)}) + b"\n"
        yield chain.canonical({"head": chain.head_as_dict(head_of(segment))}) + b"\n"


def _columns(table: type[Table], names: Iterable[str]) -> list[Mapped[Any]]:
    """Columns, not rows of the table: a whole log must not stay in the session."""
    return [col(getattr(table, name)) for name in names]
