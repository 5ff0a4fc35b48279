"""One admission costs the same in a large cluster: its facts are found by keys, never by reading a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlmodel import Session

from governance.admission import facts as facts_of
from governance.db.session import reading, transaction
from tests.admission.conftest import Hospital, create, training

COPIES = 3000
GROWING = ("charge", "charge_object", "decision")


def multiply(session: Session, table: str, fresh: dict[str, str]) -> None:
    """Copy each row of a table many times; `fresh` says what is another in each copy `n`."""
    names = session.connection().execute(
        text("SELECT column_name FROM information_schema.columns WHERE table_name = :table"), {"table": table}
    )
    columns = [row[0] for row in names]
    values = ", ".join(fresh.get(one, f"o.{one}") for one in columns)
    statement = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} o, generate_series(1, :n) n"  # noqa: S608
    session.connection().execute(text(statement), {"n": COPIES})


def scanned(plan: dict[str, Any]) -> Iterator[str]:
    """The tables that a plan reads whole."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for below in plan.get("Plans", ()):
        yield from scanned(below)


@pytest.mark.real
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_facts_read_no_growing_table_whole(hospital: Hospital) -> None:
    asked = create(training(1))
    assert hospital.ask(asked).allowed
    with transaction(hospital.engine) as session:
        multiply(
            session,
            "charge",
            {"id": "gen_random_uuid()", "native_id": "o.native_id || n", "incarnation": "o.incarnation || n"},
        )
        of_copy = "(SELECT c.id FROM charge c WHERE c.incarnation = o.uid || n)"
        multiply(session, "charge_object", {"id": "gen_random_uuid()", "uid": "o.uid || n", "charge_id": of_copy})
        multiply(
            session,
            "decision",
            {"id": "gen_random_uuid()", "request_uid": "o.request_uid || n", "charge_id": "gen_random_uuid()"},
        )
        session.connection().execute(text("ANALYZE"))
    sent: list[tuple[str, Any]] = []
    event.listen(
        hospital.engine, "before_cursor_execute", lambda _c, _d, statement, values, *_: sent.append((statement, values))
    )
    facts_of.read(hospital.engine, asked)
    ((statement, values),) = sent
    with reading(hospital.engine) as session:
        (plans,) = session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).one()
    assert not set(scanned(plans[0]["Plan"])).intersection(GROWING)
