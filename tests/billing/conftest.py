"""The example hospital's finance: machines that were launched, a store for its bills, and lines about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import func, select, update

from billing.jobs import IMPORT_FOCUS, handlers
from billing.store import Store
from governance import clock
from governance.db.session import reading, transaction
from governance.identity.organisation import node_named
from governance.jobs.tables import Job
from governance.jobs.work import submit, work_due
from governance.pricing.tables import Price
from governance.quota.settlements import Settled, settled_at
from governance.quota.tables import ChargeResource
from tests.admission.conftest import Hospital, hospital, person, policy
from tests.billing.bills import bill
from tests.webhooks.cloud.samples import run_instances
from tests.webhooks.cloud.test_handle import ONE, TWO, Clouds

__all__ = ["ONE", "TWO", "hospital", "policy"]

START = datetime(2026, 11, 27, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
NODE = "radiology"


class Finance:
    """The example hospital, with machines that were launched at ten o'clock, and a store for its bills."""

    def __init__(self, hospital: Hospital, folder: Path) -> None:
        self.engine: Engine = hospital.engine
        self.store = Store(folder)
        self.by = person(hospital, "okafor").id
        clouds = Clouds(hospital)
        clouds.tell(run_instances(ONE, TWO))
        clouds.work()
        with transaction(self.engine) as session:
            session.execute(update(ChargeResource).values(valid_from=START))
            session.execute(update(Price).values(valid_from=START - HOUR))

    def send(self, *lines: Mapping[str, str], source: str = "aws-main", name: str = "bill.csv") -> Job:
        place = self.store.incoming(name)
        place.write_bytes(bill(*lines))
        return self.run(IMPORT_FOCUS, {"incoming": name, "name": name, "source": source})

    def run(self, kind: str, parameters: Mapping[str, str]) -> Job:
        """Ask for a job, do it as a worker does, and give what became of it."""
        with transaction(self.engine) as session:
            asked = submit(session, kind, parameters, self.by, clock.now()).id
        work_due(self.engine, handlers(self.store), clock.now)
        with reading(self.engine) as session:
            return session.get_one(Job, asked)

    def settled(self) -> dict[str, Settled]:
        with reading(self.engine) as session:
            found = settled_at(session, node_named(session, NODE).id, "2026-11")
        return {one.charge.incarnation: one for one in found}

    def count(self, table: type[Any]) -> int:
        with reading(self.engine) as session:
            return session.exec(select(func.count()).select_from(table)).one()


@pytest.fixture
def finance(hospital: Hospital, tmp_path: Path) -> Finance:
    return Finance(hospital, tmp_path)


def of(instance: str, hour: int = 10, **more: str) -> dict[str, str]:
    """An hour of an instance on the bill."""
    period = {
        "ChargePeriodStart": f"2026-11-27T{hour:02}:00:00Z",
        "ChargePeriodEnd": f"2026-11-27T{hour + 1:02}:00:00Z",
    }
    return {"ResourceId": f"arn:aws:ec2:eu-north-1:111122223333:instance/{instance}", **period, **more}
