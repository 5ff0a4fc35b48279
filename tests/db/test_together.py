from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, bindparam, select
from sqlmodel import col

from governance.db.elements import keys_in
from governance.db.session import make_engine, reading, transaction
from governance.db.together import database_time, fetch, together
from governance.errors import DatabaseUnavailable
from governance.identity.tables import Node
from governance.quota.tables import Binding, Scope, Usage
from governance.settings import Database

FACTS = together(
    "of_a_test",
    {
        "cluster": select(Scope).where(col(Scope.name) == bindparam("cluster")),
        "usage": select(Usage).where(
            col(Usage.node_id).in_(
                keys_in(select(col(Binding.path)).where(col(Binding.scope) == bindparam("cluster")).scalar_subquery())
            )
        ),
        "nobody": select(Usage).where(col(Usage.resource) == "no such resource"),
    },
)
UNTIL = datetime(2026, 11, 23, 17, 30, 0, 123456, tzinfo=UTC)


def test_values_come_back_as_the_types_of_their_columns(engine: Engine) -> None:
    with transaction(engine) as session:
        node = Node(kind="department", name="radiology", title="Radiology")
        other = Node(kind="department", name="surgery", title="Surgery")
        session.add_all([node, other, Scope(name="ward-a", warn_until=UNTIL, labels={"location": "on-premises"})])
        session.flush()
        session.add(Binding(scope="ward-a", name="ct", path=[str(node.id)], exempt=True))
        session.add(Usage(node_id=node.id, resource="requests.memory", depth=0, used=2**62))
        session.add(Usage(node_id=other.id, resource="requests.memory", depth=0, used=1))
    with reading(engine) as session:
        at, rows = fetch(session, FACTS, {"cluster": "ward-a"})
        assert abs(at - database_time(session)) < timedelta(minutes=1)
    assert at.tzinfo is UTC
    assert rows["cluster"][0]["warn_until"] == UNTIL
    assert rows["cluster"][0]["labels"] == {"location": "on-premises"}
    assert [(one["node_id"], one["used"], one["hard"]) for one in rows["usage"]] == [(node.id, 2**62, None)]
    assert rows["nobody"] == []


def test_a_database_that_is_not_there_says_so_in_our_words(tmp_path: Path) -> None:
    engine = make_engine(Database(url=f"sqlite:///{tmp_path}/no/such/folder/ledger.db"))
    with pytest.raises(DatabaseUnavailable), reading(engine) as session:
        database_time(session)


def test_a_unit_of_work_that_raises_leaves_nothing_behind(engine: Engine) -> None:
    def half() -> None:
        with transaction(engine) as session:
            session.add(Scope(name="half"))
            session.flush()
            raise KeyError("half way")

    with pytest.raises(KeyError):
        half()
    with reading(engine) as session:
        assert session.get(Scope, "half") is None
