"""Plan and apply: the whole configuration, in one transaction, under one lock.

An apply makes a revision; rows of earlier revisions are closed, never changed, and no older decision is touched. Two
applies wait for each other on the revision counter's row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from governance.audit import log
from governance.configuration.in_force import items_at
from governance.configuration.model import Applied, InvalidConfiguration, Manifests, Plan, SourceFile
from governance.configuration.parse import parse
from governance.configuration.plan import plan as compare
from governance.configuration.rooms import ROOMS, Room, kinds_of
from governance.configuration.tables import ConfigItem, ConfigRevision
from governance.configuration.writing import Writing
from governance.db.insert import insert_into
from governance.db.session import reading, transaction
from governance.db.tables import Counter
from governance.errors import Conflict, StaleVersion

COUNTER = "config_revision"


@dataclass(frozen=True, slots=True)
class Applier:
    """Who applies, and on which request."""

    person_id: UUID | None
    name: str
    request_id: str = ""


def read(files: Sequence[SourceFile], rooms: Sequence[Room] = ROOMS) -> Manifests:
    """The manifests in these files, checked on their own and against each other.

    Raises:
        InvalidConfiguration: with every problem found, each with file, line and field.
    """
    manifests, problems = parse(files, kinds_of(rooms))
    if not problems:  # a manifest that could not be read would be missed by all that name it
        problems = [problem for room in rooms for problem in room.check(manifests)]
    if problems:
        raise InvalidConfiguration(problems)
    return manifests


def plan(engine: Engine, files: Sequence[SourceFile], rooms: Sequence[Room] = ROOMS) -> Plan:
    """What applying these files would do to the configuration in force. Writes nothing.

    Raises:
        InvalidConfiguration: the files are refused whole.
    """
    wanted = read(files, rooms)
    with reading(engine) as session:
        return compare(wanted, items_at(session), _newest(session))


def apply(
    engine: Engine,
    files: Sequence[SourceFile],
    applier: Applier,
    now: datetime,
    *,
    base: int | None = None,
    deletes: bool = False,
    rooms: Sequence[Room] = ROOMS,
) -> Applied:
    """Make these files the configuration in force. When nothing changes, nothing is written.

    Args:
        base: the revision that the plan was made against; None applies to whatever is in force.
        deletes: whether what the files leave out may be deleted.

    Raises:
        InvalidConfiguration: the files are refused whole.
        StaleVersion: another revision came in since `base`.
        Conflict: something would be deleted without `deletes`, or still holds charges or open changes.
    """
    wanted = read(files, rooms)
    with transaction(engine) as session:
        head = _lock(session)
        if base is not None and base != head:
            detail = f"The plan was made against revision {base}, and revision {head} is in force."
            raise StaleVersion(detail, field="base", remedy="Plan again.")
        made = compare(wanted, items_at(session), head)
        if made.empty:
            return Applied(made, head)
        if made.deletes and not deletes:
            raise Conflict(_would_delete(made), field="deletes", remedy="Add what is missing, or allow deletes.")
        writing = Writing(session, wanted, made, head + 1, now)
        _keep(writing, applier)
        for room in rooms:
            if room.write is not None:
                room.write(writing)
        _tell(writing, applier)
        return Applied(made, writing.revision)


def _would_delete(made: Plan) -> str:
    names = ", ".join(f"{one.kind}/{one.name}" for one in made.deletes[:5])
    more = f" and {len(made.deletes) - 5} more" if len(made.deletes) > 5 else ""
    return f"The files leave out what is in force: {names}{more}."


def _lock(session: Session) -> int:
    """The newest revision; nobody else applies until this transaction ends."""
    session.execute(insert_into(session, Counter).values(name=COUNTER, value=0).on_conflict_do_nothing())
    return session.exec(select(Counter.value).where(Counter.name == COUNTER).with_for_update()).one()


def _newest(session: Session) -> int:
    return session.exec(select(Counter.value).where(Counter.name == COUNTER)).one_or_none() or 0


def _keep(writing: Writing, applier: Applier) -> None:
    """The new revision, with items closed and opened as the plan says."""
    session, made, number = writing.session, writing.plan, writing.revision
    session.execute(update(Counter).where(col(Counter.name) == COUNTER).values(value=number))
    revision = ConfigRevision(
        number=number,
        applied_at=writing.now,
        applied_by=applier.person_id,
        digest=made.digest,
        changes=[{"action": one.action, "kind": one.kind, "name": one.name} for one in made.differences],
    )
    session.add(revision)
    session.flush()
    for one in made.differences:
        if one.action != "create":
            session.execute(
                update(ConfigItem)
                .where(col(ConfigItem.kind) == one.kind, col(ConfigItem.name) == one.name)
                .where(col(ConfigItem.to_revision).is_(None))
                .values(to_revision=number)
            )
    opened = [_item(writing.wanted, one.kind, one.name, number) for one in made.differences if one.action != "delete"]
    if opened:
        session.add_all(opened)
        session.flush()


def _item(wanted: Manifests, kind: str, name: str, number: int) -> ConfigItem:
    return ConfigItem(kind=kind, name=name, spec=wanted[kind, name].canonical, from_revision=number)


def _tell(writing: Writing, applier: Applier) -> None:
    made = writing.plan
    log.record(
        writing.session,
        applier.name,
        "configuration.apply",
        "configuration",
        str(writing.revision),
        before={"revision": made.base},
        after={"revision": writing.revision, "digest": made.digest, "changes": _summary(made)},
        request_id=applier.request_id,
        at=writing.now,
    )


def _summary(made: Plan) -> list[Mapping[str, Any]]:
    return [
        {
            "action": one.action,
            "kind": one.kind,
            "name": one.name,
            "fields": {
                change.field: [change.before, change.after] for change in one.fields if change.field != "calendar"
            },
        }
        for one in made.differences
    ]
