"""The migrations run for real on both databases, and lead to exactly the tables that the models describe."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Engine, MetaData, String, inspect

from governance.bootstrap import metadata
from governance.db.migrate import at, downgrade, newest, require_newest, upgrade
from governance.db.session import make_engine
from governance.errors import DatabaseUnavailable, Unavailable
from governance.settings import Database

ROOT = Path(__file__).parents[2]


@contextmanager
def opened(database: Database) -> Iterator[Engine]:
    engine = make_engine(database)
    yield engine
    engine.dispose()


def differences(database: Database, models: MetaData) -> list[object]:
    with opened(database) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, models))


def test_the_migrations_make_what_the_models_describe(database: Database) -> None:
    assert upgrade(database) == (None, newest())
    assert differences(database, metadata) == []


def test_a_column_that_no_migration_makes_is_noticed(database: Database) -> None:
    upgrade(database)
    models = MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(models)
    models.tables["node"].append_column(Column("surprise", String))
    assert "surprise" in str(differences(database, models))


def test_going_down_leaves_nothing_behind_and_up_works_again(database: Database) -> None:
    upgrade(database)
    assert downgrade(database, "base") == (newest(), None)
    with opened(database) as engine:
        assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    assert upgrade(database) == (None, newest())


def test_migrating_again_changes_nothing(database: Database) -> None:
    upgrade(database)
    assert upgrade(database) == (newest(), newest())


def test_a_database_that_is_not_migrated_is_refused_with_the_command_to_run(database: Database) -> None:
    with opened(database) as engine:
        with pytest.raises(Unavailable, match="governance migrate"):
            require_newest(engine)
        upgrade(database)
        require_newest(engine)
        with engine.connect() as connection:
            assert at(connection) == newest()


def test_a_database_that_does_not_answer_is_said_to_be_so() -> None:
    with pytest.raises(DatabaseUnavailable):
        upgrade(Database(url="postgresql+psycopg://nobody@127.0.0.1:1/none", connect_timeout_s=1))


def test_there_is_one_migration_until_the_first_release() -> None:
    assert [path.name for path in (ROOT / "alembic" / "versions").glob("*.py")] == ["0001_initial.py"]


def test_the_migrations_folder_does_not_hide_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()
