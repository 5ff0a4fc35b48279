"""One admission costs the same in a large cluster: its facts are found by keys, never by reading a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from sqlmodel import Session

from governance.admission import facts as facts_of
from governance.db.lane import Lane, Prepared
from governance.db.session import transaction
from tests.admission.conftest import Hospital, create
from tests.admission.test_checkpoints import IMAGE, record, require, runs

COPIES = 3000
GROWING = ("charge", "charge_object", "decision", "checkpoint_head")


def multiply(session: Session, table: str, fresh: dict[str, str]) -> None:
    """Copy each row of a table many times; `fresh` says what is another in each copy `n`."""
    names = session.connection().execute(
        text("SELECT column_name FROM information_schema.columns WHERE table_name = :table"), {"table": table}
    )
    columns = [row[0] for row in names]
    values = ", ".join(fresh.get(one, f"o.{one}") for one in columns)
    statement = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} o, generate_series(1, :n) n"  # noqa: S608
    session.connection().execute(text(statement), {"n": COPIES})


def rows_read(plan: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Each table that a plan reads, with how many rows it looked at."""
    if "Relation Name" in plan:
        looked_at = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        yield plan["Relation Name"], int(looked_at * plan["Actual Loops"])
    for below in plan.get("Plans", ()):
        yield from rows_read(below)


@pytest.mark.real
@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("known", [False, True], ids=["before any statistics", "with statistics"])
def test_facts_look_at_few_rows_of_a_growing_table(
    hospital: Hospital, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(hospital, "radiology", "vuln-scan")
    record(hospital, "pass")
    asked = create(runs(IMAGE))
    assert hospital.ask(asked).allowed  # the statement is planned now, while the tables are all but empty
    with transaction(hospital.engine) as session:
        multiply(
            session,
            "charge",
            {"id": "gen_random_uuid()", "native_id": "o.native_id || n", "incarnation": "o.incarnation || n"},
        )
        of_copy = "(SELECT c.id FROM charge c WHERE c.incarnation = o.uid || n)"
        copied = {"id": "gen_random_uuid()", "uid": "o.uid || n", "charge_id": of_copy, "name_key": "o.name_key || n"}
        multiply(session, "charge_object", copied)
        multiply(
            session,
            "decision",
            {"id": "gen_random_uuid()", "request_uid": "o.request_uid || n", "charge_id": "gen_random_uuid()"},
        )
        multiply(session, "checkpoint_head", {"digest": "n::text"})
        if known:
            session.connection().execute(text("ANALYZE"))
    plans = []

    def explained(self: Lane, prepared: Prepared, values: Any, ends: float) -> tuple[Any, ...]:  # noqa: ANN401
        given = {**prepared.constants, **values}
        words = ", ".join("'" + given[name].replace("'", "''") + "'" for name in prepared.parameters)
        told = Prepared("told", f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {prepared.name}({words})", (), {})
        plans.append(orjson.loads(one(self, told, {})[0])[0]["Plan"])
        return one(self, prepared, values, ends)

    one = Lane.one
    monkeypatch.setattr(Lane, "one", explained)
    facts_of.read(hospital.engine, asked)
    (plan,) = plans
    read = [(table, rows) for table, rows in rows_read(plan) if table in GROWING]
    assert {table for table, _ in read} == set(GROWING)
    assert max(rows for _, rows in read) < 20
