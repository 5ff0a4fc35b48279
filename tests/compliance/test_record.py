"""A checkpoint is recorded once, by whoever may attest it, and the newest counts; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, update
from sqlmodel import select

from governance.audit.tables import AuditEvent
from governance.clock import now
from governance.compliance.attestation import InvalidCheckpoint, UnknownSignature
from governance.compliance.record import NotAllowed, Recorded, Sender, record
from governance.compliance.tables import Attestor, CheckpointHead, CheckpointRecord
from governance.db.session import reading, transaction
from tests.admission.conftest import person
from tests.compliance.conftest import Hospital
from tests.compliance.signing import OTHER_KEY, PASSED, envelope

HOUR = timedelta(hours=1)


def send(hospital: Hospital, content: bytes) -> Recorded:
    okafor = person(hospital, "okafor")
    return record(hospital.engine, content, Sender(okafor.id, okafor.name), now())


def head(engine: Engine) -> tuple[str, str]:
    with reading(engine) as session:
        (found,) = session.exec(select(CheckpointHead)).all()
        kept = session.get_one(CheckpointRecord, found.checkpoint_id)
    assert (kept.result, kept.at) == (found.result, found.at)
    return found.result, found.digest


def test_it_is_recorded_once_with_its_envelope_and_audited(scanned: Hospital) -> None:
    content = envelope()
    first, again = send(scanned, content), send(scanned, content)
    assert (first.known, again.known, again.row.id) == (False, True, first.row.id)
    assert head(scanned.engine) == ("pass", PASSED.digest)
    with reading(scanned.engine) as session:
        (kept,) = session.exec(select(CheckpointRecord)).all()
        events = session.exec(select(AuditEvent).where(AuditEvent.action == "checkpoint.record")).all()
    assert (kept.envelope.encode(), kept.attestor) == (content, "image-scanner")
    assert [(one.actor, (one.after or {})["result"]) for one in events] == [("okafor", "pass")]


def test_a_later_failure_beats_an_earlier_pass_and_an_old_pass_sent_again_does_not_come_back(scanned: Hospital) -> None:
    passed = envelope()
    send(scanned, passed)
    send(scanned, envelope(result="fail", at=PASSED.at + HOUR / 2))
    assert head(scanned.engine)[0] == "fail"
    send(scanned, passed)
    send(scanned, envelope(at=PASSED.at + HOUR / 4))  # checked before the failure, and sent after it
    assert head(scanned.engine)[0] == "fail"
    send(scanned, envelope(at=PASSED.at + HOUR * 3 / 4))
    assert head(scanned.engine)[0] == "pass"


def test_who_may_not_attest_is_refused(scanned: Hospital) -> None:
    with pytest.raises(UnknownSignature):
        send(scanned, envelope(OTHER_KEY))
    with pytest.raises(NotAllowed, match="image-scanner may attest vuln-scan, and not penetration-test"):
        send(scanned, envelope(type="penetration-test"))
    assert scanned.count(CheckpointRecord) == 0


def test_an_attestor_that_is_no_more_attests_nothing(scanned: Hospital) -> None:
    with transaction(scanned.engine) as session:
        session.execute(update(Attestor).values(public_key=""))
    with pytest.raises(UnknownSignature):
        send(scanned, envelope())


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (envelope(at=now() + HOUR), "predicate.at"),
        (envelope(until=now() - HOUR / 2), "predicate.until"),
        (envelope(at=now(), until=now() - HOUR), "predicate.until"),
    ],
)
def test_what_is_not_yet_or_no_longer_is_refused(scanned: Hospital, content: bytes, field: str) -> None:
    with pytest.raises(InvalidCheckpoint) as refused:
        send(scanned, content)
    assert refused.value.field == field
    assert scanned.count(CheckpointRecord) == 0
