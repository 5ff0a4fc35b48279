"""What the worker does between requests, on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from governance import clock
from governance.audit.keys import ensure_key
from governance.audit.tables import AuditEvent, AuditSegment
from governance.bootstrap import Parts
from governance.change.model import State, Terms
from governance.change.tables import ChangeRequest, Grant
from governance.cli.worker import start_loops
from governance.db.session import reading, transaction
from governance.notify.tables import OutboxMessage
from governance.quota.tables import Allowance, Charge, ChargeObject
from governance.settings import Audit, Settings
from tests.admission.conftest import CLUSTER, Hospital, approve, create, hospital, policy, training
from tests.parts.process import wait_until

__all__ = ["hospital", "policy"]


def let_everything_be_due(hospital: Hospital) -> None:
    """An allowance in use, an approval that nobody used and a pod that is gone, each over since an hour at least."""
    until = clock.now() + timedelta(days=1)
    used, unused = create(training(18)), create(training(1), name="unused")
    approve(hospital, hospital.ask(used), Terms(until=until))
    assert hospital.ask(used).allowed
    approve(hospital, hospital.ask(unused), Terms(until=until))
    past = clock.now() - timedelta(hours=1)
    with transaction(hospital.engine) as session:
        session.connection().execute(update(Allowance).values(until=past))
        session.connection().execute(update(Grant).values(valid_until=past))
        pod = ChargeObject(
            charge_id=session.scalars(select(col(Charge.id))).one(),
            scope=CLUSTER,
            uid="uid-of-a-pod",
            kind="core/pods",
            namespace="ct-training",
            name="ct-train-x",
            gone=True,
            seen_at=past - timedelta(days=1),
        )
        session.add(pod)


def left_undone(hospital: Hospital) -> set[str]:
    """Which of them still stand."""
    with reading(hospital.engine) as session:
        states = set(session.scalars(select(col(ChangeRequest.state))))
        found = {
            "allowance": None in session.scalars(select(col(Allowance.ended_at))).all(),
            "approval": State.EXPIRED not in states,
            "pod": "core/pods" in session.scalars(select(col(ChargeObject.kind))).all(),
            "message": not set(session.scalars(select(col(OutboxMessage.next_attempt_at)))) <= {None},
            "log": None in session.scalars(select(col(AuditEvent.segment))).all(),
        }
    return {what for what, stands in found.items() if stands}


def test_a_host_whose_clock_is_wrong_ends_what_is_due_all_the_same(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    began = clock.now()
    let_everything_be_due(hospital)
    assert left_undone(hospital) == {"allowance", "approval", "pod", "message", "log"}
    behind = clock.now() - timedelta(days=365)
    monkeypatch.setattr(clock, "now", lambda: behind)
    stop = threading.Event()
    ensure_key(tmp_path / "audit.pem")
    settings = Settings(audit=Audit(signing_key=tmp_path / "audit.pem"))
    threads = start_loops(Parts(settings, hospital.engine, hospital.admission.policy), stop)
    try:
        wait_until(lambda: not left_undone(hospital), "what is due is ended and forgotten")
    finally:
        stop.set()
        for one in threads:
            one.join()
    with reading(hospital.engine) as session:
        assert min(session.scalars(select(col(AuditSegment.sealed_at)))) >= began - timedelta(minutes=1)
