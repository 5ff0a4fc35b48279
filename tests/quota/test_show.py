"""How a node stands: what is shown of it adds up to what counts against its limit, and to the charges themselves."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from governance.db.session import reading
from governance.quota.limits import Limit
from governance.quota.model import LIVE
from governance.quota.show import Status, status, statuses
from governance.quota.tables import Charge
from governance.units import ResourceList, sum_of
from tests.quota.hospital import CPU, Hospital, admit, declares, found, limit, ref, see


@pytest.fixture
def hospital(engine: Engine) -> Hospital:
    return found(engine)


def stands(engine: Engine, hospital: Hospital) -> dict[str, tuple[int, int, int]]:
    """Used, held and kept of CPU, by node."""
    with reading(engine) as session:
        shown = {name: status(session, getattr(hospital, name)) for name in Hospital.__slots__}
    return {name: (row.used, row.held, row.kept) for name, rows in shown.items() for row in rows}


def test_what_is_seen_held_and_guaranteed_is_told_apart_on_every_level(engine: Engine, hospital: Hospital) -> None:
    limit(
        engine,
        Limit(hospital.root, CPU, hard=100_000),
        Limit(hospital.radiology, CPU, hard=40_000, lending=10_000),
        Limit(hospital.ct, CPU, hard=20_000, lending=15_000),
    )
    train, one_more = ref("train"), ref("more", namespace="mri")
    admit(engine, train, declares(2))
    see(engine, train, 1, declares(2))
    admit(engine, one_more, declares(3))
    shown = stands(engine, hospital)
    assert shown["ct"] == (2_000, 0, 0)
    assert shown["mri"] == (0, 3_000, 0)
    assert shown["radiology"] == (2_000, 3_000, 3_000)  # ct keeps 5 of its 20 cores, and uses 2 of them
    assert shown["root"] == (2_000, 3_000, 25_000)  # radiology keeps 30 of its 40 cores, and needs 5 of them


def test_the_totals_say_the_same_as_the_charges(engine: Engine, hospital: Hospital) -> None:
    limit(engine, Limit(hospital.root, CPU, hard=100_000), Limit(hospital.surgery, CPU, hard=9_000, lending=0))
    for name, namespace in (("a", "ct"), ("b", "mri"), ("c", "theatre")):
        admit(engine, ref(name, namespace=namespace), declares(2))
    with reading(engine) as session:
        (row,) = statuses(session, {hospital.root})[hospital.root]
        charges = session.exec(select(Charge).where(col(Charge.state).in_(LIVE))).all()
    level = sum_of(ResourceList(one.level) for one in charges)
    assert (row.used, row.held, row.kept) == (0, level[CPU], 7_000)
    assert row.taken == level[CPU] + 7_000


def test_borrowing_and_allowances_raise_what_may_be_taken() -> None:
    row = Status(CPU, 10, 1, 2, 3, 4, 0, 5, None, 2, "")
    assert (row.taken, row.limit) == (6, 17)
    assert Status(CPU, None, 1, 2, 3, None, 0, 5, None, 0, "").limit is None
