"""From a line of a statement down to the lines of the bill that it is made from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import Session

from billing import engine as bill
from billing.allocate import Lines, Way, lines_of, placing_of, way_of
from billing.months import closed_months
from billing.placing import BINDING, CHARGE, RULE, TAG, Place, behind
from billing.store import Store
from billing.tables import AllocationRun, PostingRow
from governance.db.session import reading
from governance.units import Period


def lines_behind(database: Engine, store: Store, posting: UUID, limit: int) -> list[dict[str, Any]]:
    """The lines of the bill behind a posting, the dearest first, as they were when it was made. Of what is split these
    are the whole lines; of a correction, the lines that its month has now.

    Raises LookupError: there is no such posting.
    """
    with reading(database) as session:
        row = session.get_one(PostingRow, posting)
        way, lines = _made_from(session, row)
    place = _place(row, way)
    if not lines.files:
        return []
    backend = bill.connect()
    try:
        table = bill.read_lines(backend, [store.file(one) for one in lines.files])
        return behind(backend, table, placing_of(way, lines), place, limit)
    finally:
        backend.disconnect()


def _made_from(session: Session, row: PostingRow) -> tuple[Way, Lines]:
    run = session.get_one(AllocationRun, row.run_id)
    if not row.of_period:
        return way_of(session, run.id), replace(lines_of(session, Period.parse(run.period)), files=run.files)
    closed = closed_months(session)[row.of_period]
    files = run.corrects[row.of_period]
    return way_of(session, closed), replace(lines_of(session, Period.parse(row.of_period)), files=files)


def _place(row: PostingRow, way: Way) -> Place:
    alike = {name: getattr(row, name) for name in ("issuer", "provider", "currency", "service", "category")}
    if row.charge_id is not None:
        return Place(CHARGE, str(row.charge_id), "", **alike)
    kind, _, name = row.rule.partition(" ")
    if kind == BINDING:
        return Place(BINDING, name, "", **alike)
    if kind == RULE and way.rules[name].project_tag is not None:
        project = next(one for one, path in way.tree.items() if path[0] == str(row.node_id))
        return Place(TAG, name, project, **alike)
    return Place(kind, name, "", **alike)
