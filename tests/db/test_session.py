import pytest
from sqlalchemy import Engine, select, text
from sqlmodel import col

from governance.db.session import make_engine, reading, transaction
from governance.db.tables import Counter
from governance.errors import BadInput
from governance.settings import Database


@pytest.fixture
def one_connection(postgres_url: str) -> Engine:
    return make_engine(Database(url=postgres_url, pool_size=1))


@pytest.mark.real
def test_what_a_read_prepared_is_still_prepared_for_the_next(one_connection: Engine) -> None:
    prepared = text("SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql")
    counts = []
    for _ in range(4):
        with reading(one_connection) as session:
            counts.append(session.execute(prepared).scalar_one())
    one_connection.dispose()
    assert counts[-1] >= 1


@pytest.mark.real
def test_a_read_leaves_no_transaction_open_on_its_connection(one_connection: Engine) -> None:
    now = text("SELECT now()")
    with reading(one_connection) as session:
        first, second = (session.execute(now).scalar_one() for _ in range(2))
    one_connection.dispose()
    assert first < second


def test_a_transaction_after_a_read_still_ends_as_one(engine: Engine) -> None:
    with reading(engine) as session:
        session.execute(select(col(Counter.name))).all()

    def lose() -> None:
        with transaction(engine) as session:
            session.add(Counter(name="lost", value=1))
            session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        lose()
    with reading(engine) as session:
        assert session.execute(select(col(Counter.name))).all() == []


@pytest.mark.real
def test_what_cannot_be_stored_is_bad_input_not_a_failure(one_connection: Engine) -> None:
    wanted = select(col(Counter.name)).where(col(Counter.name) == "a\x00b")
    for unit_of_work in (reading, transaction):
        with pytest.raises(BadInput, match="NUL"), unit_of_work(one_connection) as session:
            session.execute(wanted)
    one_connection.dispose()
