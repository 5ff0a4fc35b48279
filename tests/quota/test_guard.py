"""The guard of the database gives the answers of the walk in Python, on trees that Hypothesis makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert
from sqlmodel import col, select

from governance.db.base import table_of
from governance.db.session import transaction
from governance.db.types import new_id
from governance.identity.tables import Node
from governance.quota.ledger import Reservation, reserve
from governance.quota.model import ChargeState, Declaration, UsageRow, walk
from governance.quota.plan import Plan, Proposal
from governance.quota.tables import Binding, Charge, Scope, Usage
from governance.quota.write import Refused, Reserved, charge_row
from governance.units import EMPTY, ResourceList
from tests.quota.hospital import NOW

LEVELS = 4
RESOURCES = ("requests.cpu", "requests.memory")
AMOUNT = st.integers(0, 12)
LIMIT = st.none() | AMOUNT


@dataclass(frozen=True, slots=True)
class Case:
    """A path from a project up to the root, and a charge at the project that changes from one level to another."""

    nodes: int
    rows: dict[tuple[int, str], UsageRow]  # by place in the path; some are missing
    before: ResourceList
    after: ResourceList


@st.composite
def cases(draw: st.DrawFn) -> Case:
    nodes = draw(st.integers(1, LEVELS))
    before = ResourceList({name: draw(AMOUNT) for name in RESOURCES})
    after = ResourceList({name: draw(AMOUNT) for name in RESOURCES})
    rows = {}
    for resource in RESOURCES:
        below = before[resource]
        known = bool(below) or draw(st.booleans())
        for place in range(nodes if known else 0):
            row = UsageRow(
                node_id="",
                resource=resource,
                depth=nodes - 1 - place,
                used=below + draw(AMOUNT),
                hard=draw(LIMIT),
                lending=draw(LIMIT),
                borrowing=draw(LIMIT),
                allowance=draw(st.integers(0, 3)),
                rule=f"rule {place}",
            )
            rows[place, resource] = row = replace(row, drawn=max(row.used, row.guaranteed))
            below = row.drawn
    return Case(nodes, rows, before, after)


@pytest.fixture
def chain(engine: Engine) -> list[UUID]:
    """Nodes one above the other, the root first."""
    made: list[UUID] = []
    with transaction(engine) as session:
        for depth in range(LEVELS):
            node = Node(
                kind="department", name=f"n{depth}", title="", parent_id=made[-1] if made else None, depth=depth
            )
            session.add(node)
            session.flush()
            made.append(node.id)
        session.add(Scope(name="ward", mode="enforce"))
        session.flush()
        session.add(Binding(scope="ward", name="ct", project_id=made[-1], path=[]))
    return made


def stage(engine: Engine, case: Case, path: tuple[str, ...]) -> Proposal:
    """Put these rows in place, and a proposal that changes the charge."""
    charge = ChargeState(new_id(), "core/pods", "ct/one", "uid-1", UUID(path[0]), path, level=case.before)
    usage, charges = table_of(Usage), table_of(Charge)
    with transaction(engine) as session:
        session.get_one(Binding, ("ward", "ct")).path = list(path)
        session.flush()
        connection = session.connection()
        connection.execute(delete(charges))
        connection.execute(delete(usage))
        connection.execute(insert(charges), charge_row(charge, "ward", NOW))
        for (place, resource), row in case.rows.items():
            values = {name: getattr(row, name) for name in UsageRow.__slots__ if name not in ("node_id", "resource")}
            values |= {"node_id": UUID(path[place]), "resource": resource, "scope": ""}
            connection.execute(insert(usage), values)
    stored = replace(charge, version=1)
    after = replace(stored, level=case.after)
    plan = Plan("ward", "ct", path, before=(stored,), charges=(after,))
    return Proposal(plan, charge.id, case.after, EMPTY, Declaration("core/pods", 1, EMPTY))


@settings(max_examples=250, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_the_guard_of_the_database_gives_the_answers_of_the_walk(engine: Engine, chain: list[UUID], case: Case) -> None:
    path = tuple(str(node) for node in reversed(chain[: case.nodes]))
    proposal = stage(engine, case, path)
    rows = [replace(row, node_id=path[place]) for (place, _), row in case.rows.items()]
    expected = walk(rows, path, case.after - case.before)
    written = reserve(engine, Reservation(proposal, now=NOW))
    refused = {one for one in expected if one.refused}
    if refused:
        assert isinstance(written, Refused)
        assert set(written.positions) == refused
    else:
        assert isinstance(written, Reserved)
    stored = {(one.node_id, one.resource): (one.used, one.drawn) for one in rows}
    if not refused:
        stored |= {(one.node_id, one.resource): (one.used_after, one.drawn) for one in expected}
    with transaction(engine) as session:
        found = session.exec(select(Usage).where(col(Usage.used) + col(Usage.drawn) > 0)).all()
    assert {(str(one.node_id), one.resource): (one.used, one.drawn) for one in found} == {
        key: amounts for key, amounts in stored.items() if any(amounts)
    }
