"""Beginning anew with a cluster, on both databases."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlmodel import col

from governance.audit.tables import AuditEvent
from governance.change.tables import ChangeRequest, Grant
from governance.db.session import reading, transaction
from governance.errors import BadInput, NotFound
from governance.identity.model import Principal
from governance.notify.tables import OutboxMessage
from governance.operations.rebuild import Rebuilt, rebuild
from governance.quota.tables import Charge, Scope
from governance.quota.totals import differences
from tests.admission.conftest import CLUSTER, GPU, Hospital, approve, create, training


def rebuilt(hospital: Hospital, by: Principal, cluster: str = CLUSTER, reason: str = "etcd was restored.") -> Rebuilt:
    with transaction(hospital.engine) as session:
        return rebuild(session, cluster, reason, by, request_id="r-2")


def grants(hospital: Hospital) -> dict[str, str]:
    """State of the grant by state of the change."""
    with reading(hospital.engine) as session:
        changes = {one.id: one.state for one in session.scalars(select(ChangeRequest))}
        return {changes[one.change_id]: one.state for one in session.scalars(select(Grant))}


def test_a_cluster_that_is_rebuilt_observes_in_a_new_epoch_and_keeps_its_charges(
    hospital: Hospital, sato: Principal
) -> None:
    hospital.ask(create(training(3)))
    made = rebuilt(hospital, sato)
    assert (made.standing.mode, made.standing.epoch, made.standing.relisted_at) == ("observe", 2, None)
    assert hospital.used("radiology", GPU) == 3
    assert hospital.ask(create(training(30), name="more")).allowed, "nothing is denied until everything is charged"
    with reading(hospital.engine) as session:
        assert differences(session) == []
        assert session.get_one(Scope, "burst-cloud-1").epoch == 1


def test_a_switch_to_warn_ends_with_it(hospital: Hospital, sato: Principal) -> None:
    hospital.switch("warn", warn_until=None, warn_by="somebody", warn_reason="something")
    assert rebuilt(hospital, sato).standing.warned is None
    with reading(hospital.engine) as session:
        row = session.get_one(Scope, CLUSTER)
    assert (row.mode, row.warn_until, row.warn_by, row.warn_reason) == ("observe", None, "", "")


def test_grants_that_were_not_used_are_void_and_their_requesters_are_told(hospital: Hospital, sato: Principal) -> None:
    wish = create(training(20))
    approve(hospital, hospital.ask(wish))
    made = rebuilt(hospital, sato)
    assert made.voided == ("CH-1",)
    assert grants(hospital) == {"revoked": "revoked"}
    hospital.switch("enforce")
    assert not hospital.ask(replace(wish, uid=str(uuid4()))).allowed
    with reading(hospital.engine) as session:
        told = session.scalars(select(OutboxMessage).where(col(OutboxMessage.topic) == "change.revoked")).all()
        assert [(one.channel, one.subject_id) for one in told] == [("email", "CH-1"), ("webhook", "CH-1")]
        assert told[0].payload["note"] == f"The ledger of {CLUSTER} was rebuilt: etcd was restored."


def test_grants_in_use_are_left_to_the_watch(hospital: Hospital, sato: Principal) -> None:
    used = create(training(20))
    approve(hospital, hospital.ask(used))
    assert hospital.ask(used).allowed
    assert rebuilt(hospital, sato).voided == ()
    assert grants(hospital) == {"in_use": "in_use"}


def test_an_unused_grant_of_another_cluster_stays(hospital: Hospital, sato: Principal) -> None:
    approve(hospital, hospital.ask(create(training(20))))
    assert rebuilt(hospital, sato, "burst-cloud-1").voided == ()
    assert grants(hospital) == {"approved": "active"}


def test_it_stands_in_the_audit_log(hospital: Hospital, sato: Principal) -> None:
    approve(hospital, hospital.ask(create(training(20))))
    rebuilt(hospital, sato)
    with reading(hospital.engine) as session:
        actions = ("cluster.rebuild", "change.revoke")
        query = select(AuditEvent).where(col(AuditEvent.action).in_(actions)).order_by(col(AuditEvent.action))
        revoked, found = session.scalars(query).all()
    assert (found.actor, found.subject_id, found.reason) == ("sato", CLUSTER, "etcd was restored.")
    assert found.before == {"mode": "enforce", "epoch": 1}
    assert found.after == {"mode": "observe", "epoch": 2, "voided": ["CH-1"]}
    assert (revoked.actor, revoked.subject_id, revoked.request_id) == ("sato", "CH-1", found.request_id)


def test_it_needs_a_reason_and_a_cluster(hospital: Hospital, sato: Principal) -> None:
    with pytest.raises(BadInput):
        rebuilt(hospital, sato, reason=" ")
    with pytest.raises(NotFound):
        rebuilt(hospital, sato, "elsewhere")
    with reading(hospital.engine) as session:
        assert session.get_one(Scope, CLUSTER).epoch == 1
        assert session.scalars(select(Charge)).all() == []
