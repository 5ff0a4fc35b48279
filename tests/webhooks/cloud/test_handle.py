"""What a cloud tells is decided by the same policies and charged to the same ledger, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from governance import clock
from governance.admission.tables import DecisionRow
from governance.db.session import reading, transaction
from governance.quota.tables import Breach, Charge, ChargeResource
from governance.quota.totals import differences
from tests.admission.conftest import GPU, Hospital, create, hospital, policy, training
from tests.webhooks.cloud.samples import ACCOUNT, OKAFOR, Json, run_instances, state_change
from webhooks.cloud.event import from_http
from webhooks.cloud.handle import Handling, handle
from webhooks.cloud.inbox import handle_due, store
from webhooks.cloud.machines import shipped
from webhooks.cloud.tables import InboxEvent

__all__ = ["hospital", "policy"]

ONE, TWO = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb"
DAY = timedelta(days=1)


class Clouds:
    """The example hospital with its inbox."""

    def __init__(self, hospital: Hospital) -> None:
        self.hospital = hospital
        self.engine: Engine = hospital.engine
        self.ahead = timedelta()
        self.handling = Handling(hospital.admission, {"aws": shipped("aws")}, self.now)

    def now(self) -> datetime:
        return clock.now() + self.ahead

    def tell(self, *events: Json, way: str = "http") -> int:
        read = [from_http({"content-type": "application/json"}, json.dumps(one).encode())[0] for one in events]
        return store(self.engine, read, way=way, now=self.now())

    def work(self) -> int:
        return handle_due(self.engine, lambda event: handle(self.handling, event), self.now, DAY)

    def charges(self) -> dict[str, Charge]:
        with reading(self.engine) as session:
            rows = session.scalars(select(Charge).where(col(Charge.scope) == ACCOUNT)).all()
            return {one.native_id: one for one in rows}

    def outcomes(self) -> list[str]:
        with reading(self.engine) as session:
            return list(session.scalars(select(InboxEvent.outcome).order_by(col(InboxEvent.id))))

    def resources(self) -> list[ChargeResource]:
        with reading(self.engine) as session:
            return list(session.scalars(select(ChargeResource)))

    def is_sound(self) -> bool:
        with reading(self.engine) as session:
            return not list(differences(session))


@pytest.fixture
def clouds(hospital: Hospital) -> Clouds:
    return Clouds(hospital)


def test_a_launch_is_decided_and_charged_to_the_project_that_its_tag_names(clouds: Clouds) -> None:
    assert clouds.tell(run_instances(ONE, disks_gb=(100,))) == 1
    assert clouds.work() == 1
    charge = clouds.charges()[f"ct-training-burst/{ONE}"]
    assert charge.state == "confirmed"
    assert charge.level == {
        "vcpus": 4,
        "requests.memory": 16 * 2**30,
        GPU: 1,
        "requests.storage": 350 * 10**9,  # its own disk of 250 GB, and the volume
        "count/instances.ec2": 1,
        "credits": 817_600_000,  # 730 hours at 1.12
    }
    assert clouds.hospital.used("radiology", GPU) == 1
    assert clouds.hospital.used("st-elisabeth", "vcpus") == 4
    (row,) = clouds.hospital.rows("allow")
    assert (row.door, row.scope, row.actor, row.kind) == ("cloud", ACCOUNT, OKAFOR, "ec2/instances")
    assert charge.decision_id == row.id
    assert str(row.id) in clouds.outcomes()[0]
    (resource,) = clouds.resources()
    assert resource.resource_id == f"arn:aws:ec2:eu-north-1:{ACCOUNT}:instance/{ONE}"
    assert (resource.charge_id, resource.machine, resource.valid_to) == (charge.id, "g5.xlarge", None)
    assert clouds.is_sound()


def test_the_next_scale_of_the_department_has_less_room(clouds: Clouds) -> None:
    room = 17 - 2
    clouds.tell(run_instances(ONE, TWO))
    clouds.work()
    denied = clouds.hospital.ask(create(training(room + 1)))
    assert [(one.values["used"], one.values["limit"]) for one in denied.violations] == [(2, 17)]
    assert clouds.hospital.ask(create(training(room))).allowed


def test_what_is_launched_above_the_limit_is_observed_and_opens_a_breach(clouds: Clouds) -> None:
    assert clouds.hospital.ask(create(training(12))).allowed
    clouds.hospital.switch("enforce")
    clouds.tell(run_instances(ONE, machine="g5.48xlarge"))
    clouds.work()
    assert "observed above" in clouds.outcomes()[0]
    assert clouds.hospital.used("radiology", GPU) == 20
    (denied,) = clouds.hospital.rows("deny")
    assert denied.object_uid == ONE
    with reading(clouds.engine) as session:
        charge = session.scalars(select(Charge).where(col(Charge.incarnation) == ONE)).one()
        assert charge.decision_id == denied.id  # whose bill it will be leads back to who asked, though it was refused
        breaches = session.scalars(select(Breach).where(col(Breach.resource) == GPU)).all()
    assert breaches
    clouds.tell(state_change(ONE, "terminated"))
    clouds.work()
    assert clouds.hospital.used("radiology", GPU) == 12
    assert clouds.is_sound()


def twice(clouds: Clouds, launch: Json) -> None:
    clouds.tell(launch)
    clouds.tell(launch)
    clouds.work()


def by_two_ways(clouds: Clouds, launch: Json) -> None:
    clouds.tell(launch)
    clouds.tell(launch, way="sqs")
    clouds.work()


def under_another_id(clouds: Clouds, launch: Json) -> None:
    clouds.tell(launch)
    clouds.tell({**launch, "id": "another-bus-made-this"})
    clouds.work()


def killed_before_it_was_noted(clouds: Clouds, launch: Json) -> None:
    clouds.tell(launch)
    clouds.work()
    with transaction(clouds.engine) as session:
        row = session.scalars(select(InboxEvent)).one()
        row.next_attempt_at, row.handled_at = row.received_at, None
        session.add(row)
    clouds.work()


@pytest.mark.parametrize("how", [twice, by_two_ways, under_another_id, killed_before_it_was_noted])
def test_a_launch_is_charged_once(clouds: Clouds, how: Callable[[Clouds, Json], None]) -> None:
    how(clouds, run_instances(ONE))
    assert clouds.hospital.used("radiology", GPU) == 1
    assert len(clouds.hospital.rows("allow")) == len(clouds.resources()) == 1
    assert clouds.is_sound()


def test_an_ending_waits_for_its_launch(clouds: Clouds) -> None:
    clouds.tell(state_change(ONE, "shutting-down"))
    assert clouds.work() == 0
    assert clouds.outcomes() == [f"the launch of {ONE} is not known"]
    clouds.tell(run_instances(ONE))
    assert clouds.work() == 1
    clouds.ahead = timedelta(minutes=1)
    assert clouds.work() == 1
    assert clouds.hospital.used("radiology", GPU) == 0
    (resource,) = clouds.resources()
    assert resource.valid_to is not None
    assert clouds.charges()[f"ct-training-burst/{ONE}"].state == "released"
    assert clouds.is_sound()


def test_a_launch_that_is_handled_again_after_its_end_charges_nothing(clouds: Clouds) -> None:
    clouds.hospital.ask(create(training(12)))
    clouds.tell(run_instances(ONE, machine="g5.48xlarge"))
    clouds.work()
    clouds.tell(state_change(ONE, "terminated"))
    clouds.work()
    with transaction(clouds.engine) as session:
        row = session.scalars(select(InboxEvent).order_by(col(InboxEvent.id))).first()
        assert row is not None
        row.next_attempt_at = row.received_at
        session.add(row)
    clouds.work()
    assert clouds.outcomes()[0] == f"{ONE} is no more"
    assert clouds.hospital.used("radiology", GPU) == 12


def test_an_account_that_nobody_described_waits_and_is_given_up(clouds: Clouds) -> None:
    clouds.tell(run_instances(ONE, account="999988887777"))
    assert clouds.work() == 0
    assert "not in the configuration" in clouds.outcomes()[0]
    clouds.ahead = 2 * DAY
    assert clouds.work() == 1
    assert clouds.work() == 0


def test_what_has_no_tag_is_charged_to_whom_the_account_is_bound(clouds: Clouds) -> None:
    clouds.tell(run_instances(ONE, tags={}), run_instances(TWO, tags={"hospital:project": "unheard-of"}))
    clouds.work()
    assert set(clouds.charges()) == {f"research/{ONE}", f"research/{TWO}"}
    assert clouds.hospital.used("information-technology", GPU) == 2


def test_a_machine_type_that_nobody_knows_is_told_and_counted(clouds: Clouds) -> None:
    clouds.tell(run_instances(ONE, machine="z99.mega"))
    clouds.work()
    (denied,) = clouds.hospital.rows("deny")
    assert "z99.mega" in json.dumps(denied.violations)
    assert clouds.charges()[f"ct-training-burst/{ONE}"].level == {"count/instances.ec2": 1}


def test_what_is_not_charged_changes_nothing(clouds: Clouds) -> None:
    failed = run_instances(ONE)
    failed["detail"]["errorCode"] = "Client.InsufficientInstanceCapacity"
    other = run_instances(ONE)
    other["detail"]["eventName"] = "DescribeInstances"
    clouds.tell(failed, other, state_change(ONE, "running"), {**run_instances(ONE), "source": "aws.s3"})
    assert clouds.work() == 4
    assert set(clouds.outcomes()) == {"nothing that is charged changed"}
    assert not clouds.charges()


def test_an_event_that_cannot_be_understood_is_kept_with_the_reason(clouds: Clouds) -> None:
    broken = run_instances(ONE)
    broken["detail"]["responseElements"]["instancesSet"]["items"][0]["instanceId"] = "../etc/passwd"
    clouds.tell(broken)
    assert clouds.work() == 1
    assert clouds.outcomes()[0].startswith("not understood: instanceId")
    with reading(clouds.engine) as session:
        assert session.scalars(select(DecisionRow)).all() == []
