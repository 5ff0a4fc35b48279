"""A database with the example hospital in it: the organisation, its rules, and quotas that have room for the rounds."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import update

from governance import clock
from governance.configuration.apply import Applier, apply
from governance.configuration.model import SourceFile
from governance.db.migrate import upgrade
from governance.db.session import make_engine, transaction
from governance.quota.tables import Scope
from governance.settings import Database

ROOT = Path(__file__).parents[1]
CLUSTER = "imaging-onprem-1"
NAMESPACE = "ct-training"


def found(database: Database) -> None:
    """Make the tables and the hospital, with its cluster enforced as after its first listing."""
    upgrade(database)
    files = [one for one in sorted((ROOT / "examples" / "hospital").iterdir()) if one.name != "quotas.yaml"]
    files.append(ROOT / "benchmarks" / "quotas.yaml")
    engine = make_engine(database)
    try:
        apply(engine, [SourceFile(one.name, one.read_bytes()) for one in files], Applier(None, "bench"), clock.now())
        with transaction(engine) as session:
            session.connection().execute(update(Scope).values(mode="enforce"))
    finally:
        engine.dispose()
