"""How changes end without a decision, what is said about them before one, and emergencies; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from governance.audit.tables import AuditEvent
from governance.change import questions
from governance.change.decide import decide
from governance.change.emergency import break_glass, overdue_reviews, review_emergency
from governance.change.endings import expire_due, revoke, withdraw
from governance.change.grants import consume_statements, grants_select, pick, settle
from governance.change.model import AS_ASKED, Asks, State
from governance.change.read import asked_by, change_named, standing_of, waiting_for
from governance.change.submit import submit
from governance.change.tables import ChangeRequest, Grant
from governance.db.session import transaction
from governance.errors import BadInput, Conflict, Forbidden, NotFound, StaleVersion
from governance.notify.tables import OutboxMessage
from tests.change.hospital import NOW, RADIOLOGY, TARGET, UNTIL, Hospital, denial, less, open_hospital

HOUR = timedelta(hours=1)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with transaction(engine) as one:
        yield one


@pytest.fixture
def hospital(session: Session) -> Hospital:
    return open_hospital(session)


def pending(session: Session, hospital: Hospital) -> ChangeRequest:
    one = denial(hospital, needs=(RADIOLOGY,))
    return submit(session, one, hospital.people["okafor"], "Backlog.", "", None, UNTIL, NOW)


def approved(session: Session, hospital: Hospital) -> ChangeRequest:
    change = pending(session, hospital)
    return decide(session, change.id, hospital.people["haddad"], "approve", "", AS_ASKED, 1, NOW).change


def grant_state(session: Session) -> str:
    session.expire_all()
    return session.exec(select(Grant)).one().state


def told(session: Session, topic: str) -> set[str]:
    query = select(OutboxMessage.receiver).where(OutboxMessage.topic == topic, OutboxMessage.channel == "email")
    return {one.partition("@")[0] for one in session.exec(query)}


def use(session: Session) -> None:
    rows = [dict(row) for row in session.connection().execute(grants_select(TARGET)).mappings()]
    fact = pick(rows, "a" * 64, "s" * 64, Asks("").after, NOW + HOUR)
    assert fact is not None
    for statement in consume_statements(fact, "a" * 64, fact.id, NOW + HOUR):
        assert session.exec(statement).rowcount == 1
    session.expire_all()


def test_the_requester_withdraws_a_pending_change_and_those_who_were_asked_are_told(
    session: Session, hospital: Hospital
) -> None:
    change = pending(session, hospital)
    withdraw(session, change.id, hospital.people["okafor"], 1, NOW)
    assert (change.state, change.open_digest) == (State.WITHDRAWN, None)
    assert told(session, "change.withdrawn") == {"haddad", "berg"}
    assert withdraw(session, change.id, hospital.people["okafor"], 1, NOW).version == change.version


def test_withdrawing_an_approved_change_takes_its_grant_back(session: Session, hospital: Hospital) -> None:
    change = approved(session, hospital)
    withdraw(session, change.id, hospital.people["okafor"], change.version, NOW)
    assert grant_state(session) == "revoked"


def test_only_the_requester_withdraws(session: Session, hospital: Hospital) -> None:
    change = pending(session, hospital)
    with pytest.raises(Forbidden):
        withdraw(session, change.id, hospital.people["haddad"], 1, NOW)


def test_what_is_in_use_can_be_neither_withdrawn_nor_revoked(session: Session, hospital: Hospital) -> None:
    change = approved(session, hospital)
    use(session)
    version = session.get_one(ChangeRequest, change.id).version
    with pytest.raises(Conflict, match="in use"):
        withdraw(session, change.id, hospital.people["okafor"], version, NOW)
    with pytest.raises(Conflict, match="in use"):
        revoke(session, change.id, hospital.people["haddad"], "No room.", version, NOW)
    assert grant_state(session) == "in_use"


def test_revoking_needs_a_note_and_the_version_that_was_seen(session: Session, hospital: Hospital) -> None:
    change = approved(session, hospital)
    with pytest.raises(BadInput):
        revoke(session, change.id, hospital.people["haddad"], " ", change.version, NOW)
    with pytest.raises(StaleVersion):
        revoke(session, change.id, hospital.people["haddad"], "No room.", 1, NOW)
    revoke(session, change.id, hospital.people["haddad"], "No room.", change.version, NOW)
    assert (change.state, grant_state(session)) == (State.REVOKED, "revoked")
    assert told(session, "change.revoked") == {"okafor"}


def test_a_pending_change_cannot_be_revoked(session: Session, hospital: Hospital) -> None:
    change = pending(session, hospital)
    with pytest.raises(Conflict, match="pending"):
        revoke(session, change.id, hospital.people["haddad"], "No room.", 1, NOW)


def test_what_nobody_decided_in_time_expires_and_not_a_moment_earlier(engine: Engine) -> None:
    with transaction(engine) as session:
        change = pending(session, open_hospital(session))
    assert expire_due(engine, change.decide_by - timedelta(microseconds=1)) == 0
    assert expire_due(engine, change.decide_by) == 1
    assert expire_due(engine, change.decide_by) == 0
    with transaction(engine) as session:
        again = session.get_one(ChangeRequest, change.id)
        assert (again.state, again.open_digest) == (State.EXPIRED, None)
        assert told(session, "change.expired") == {"okafor", "haddad", "berg"}


def test_what_nobody_used_in_time_expires_with_its_grant(engine: Engine) -> None:
    with transaction(engine) as session:
        change = approved(session, open_hospital(session))
    assert expire_due(engine, UNTIL) == 1
    with transaction(engine) as session:
        assert session.get_one(ChangeRequest, change.id).state == State.EXPIRED
        assert grant_state(session) == "expired"


def test_what_is_in_use_does_not_expire(engine: Engine) -> None:
    with transaction(engine) as session:
        approved(session, open_hospital(session))
        use(session)
    assert expire_due(engine, UNTIL + HOUR) == 0


def test_a_question_and_its_answer_reach_the_other_side_and_leave_the_version_alone(
    session: Session, hospital: Hospital
) -> None:
    change = pending(session, hospital)
    questions.ask(session, change.id, hospital.people["haddad"], "Why not at night?", NOW)
    questions.answer(session, change.id, hospital.people["okafor"], "The scanners stand still.", NOW + HOUR)
    assert change.version == 1
    assert (told(session, "change.question"), told(session, "change.answer")) == ({"okafor"}, {"haddad"})
    said = [(one.verdict, one.note) for one in standing_of(session, change, NOW).reviews]
    assert said == [("question", "Why not at night?"), ("answer", "The scanners stand still.")]
    with pytest.raises(Forbidden):
        questions.ask(session, change.id, hospital.people["stranger"], "Why?", NOW)
    with pytest.raises(Forbidden):
        questions.answer(session, change.id, hospital.people["haddad"], "Because.", NOW)
    with pytest.raises(BadInput):
        questions.answer(session, change.id, hospital.people["okafor"], " ", NOW)


def test_a_change_is_found_by_its_name_or_its_id(session: Session, hospital: Hospital) -> None:
    change = pending(session, hospital)
    assert change_named(session, "ch-1") is change_named(session, str(change.id))
    for nonsense in ("CH-2", "CH-0", "1", "CH-99999999999", "'; --"):
        with pytest.raises(NotFound):
            change_named(session, nonsense)


def test_a_change_waits_for_those_who_can_still_decide_it(session: Session, hospital: Hospital) -> None:
    change = pending(session, hospital)

    def waiting(person: str) -> list[str]:
        return [str(one.change.number) for one in waiting_for(session, hospital.people[person], NOW)]

    assert (waiting("haddad"), waiting("berg"), waiting("okafor"), waiting("lindqvist")) == (["1"], ["1"], [], [])
    assert [one.id for one in asked_by(session, hospital.people["okafor"])] == [change.id]
    decide(session, change.id, hospital.people["haddad"], "approve", "", AS_ASKED, 1, NOW)
    assert waiting("berg") == []


def emergency(session: Session, hospital: Hospital, hours: int = 4, incident: str = "INC-1") -> ChangeRequest:
    one = denial(hospital, needs=(RADIOLOGY,))
    return break_glass(session, one, hospital.people["okafor"], "Scanner down.", incident, hours, NOW)[0]


def test_breaking_the_glass_grants_at_once_for_hours_and_tells_everybody_who_was_skipped(
    session: Session, hospital: Hospital
) -> None:
    change = emergency(session, hospital)
    assert (change.kind, change.state) == ("emergency", State.APPROVED)
    assert change.review_due_at == NOW + timedelta(hours=48)
    assert session.exec(select(Grant)).one().valid_until == NOW + 4 * HOUR
    assert told(session, "change.emergency") == {"haddad", "berg"}
    assert [one.action for one in session.exec(select(AuditEvent))] == ["change.break_glass"]


def test_an_emergency_supersedes_what_was_waiting(session: Session, hospital: Hospital) -> None:
    waiting = pending(session, hospital)
    emergency(session, hospital)
    assert waiting.state == State.SUPERSEDED


def test_an_emergency_is_not_needed_for_what_is_approved(session: Session, hospital: Hospital) -> None:
    approved(session, hospital)
    with pytest.raises(Conflict, match="CH-1 gives this already"):
        emergency(session, hospital)


@pytest.mark.parametrize(("hours", "incident", "field"), [(0, "I", "hours"), (13, "I", "hours"), (4, " ", "incident")])
def test_an_emergency_names_an_incident_and_keeps_to_its_time(
    session: Session, hospital: Hospital, hours: int, incident: str, field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        emergency(session, hospital, hours, incident)
    assert refused.value.field == field


def test_no_emergency_answers_what_no_exception_answers(session: Session, hospital: Hospital) -> None:
    with pytest.raises(BadInput, match="cannot be answered"):
        break_glass(session, less(denial(hospital), askable=False), hospital.people["okafor"], "Why.", "INC-1", 4, NOW)


def test_an_emergency_is_reviewed_after_its_use_by_somebody_else(session: Session, hospital: Hospital) -> None:
    change = emergency(session, hospital)
    use(session)
    grant = session.exec(select(Grant)).one()
    assert grant.charge_id is not None
    settle(session, grant.id, grant.charge_id, NOW + HOUR, persisted=True)
    assert (change.state, change.open_digest) == (State.POST_REVIEW, None)
    with pytest.raises(Forbidden, match="You asked for this change"):
        review_emergency(session, change.id, hospital.people["okafor"], "Fine.", change.version, NOW)
    with pytest.raises(BadInput):
        review_emergency(session, change.id, hospital.people["haddad"], "", change.version, NOW)
    review_emergency(session, change.id, hospital.people["haddad"], "Rightly done.", change.version, NOW)
    assert change.state == State.CLOSED
    assert told(session, "change.review") == {"okafor"}


def test_an_emergency_that_was_not_used_is_reviewed_too(engine: Engine) -> None:
    with transaction(engine) as session:
        change = emergency(session, open_hospital(session))
    assert expire_due(engine, NOW + 4 * HOUR) == 1
    with transaction(engine) as session:
        assert session.get_one(ChangeRequest, change.id).state == State.POST_REVIEW


def test_an_overdue_review_blocks_the_next_emergency_of_the_same_project_or_person(
    session: Session, hospital: Hospital
) -> None:
    change = emergency(session, hospital)
    late = NOW + timedelta(hours=48)
    assert overdue_reviews(session, late - timedelta(microseconds=1)) == []
    assert overdue_reviews(session, late) == [change]
    next_one = denial(hospital, digest="b" * 64, needs=(RADIOLOGY,))
    for person in ("okafor", "lindqvist"):
        with pytest.raises(Conflict, match="The review of CH-1"):
            break_glass(session, next_one, hospital.people[person], "Again.", "INC-2", 4, late)
    elsewhere = less(next_one, project_id=hospital.nodes["radiology"])
    other, _ = break_glass(session, elsewhere, hospital.people["lindqvist"], "Other.", "INC-3", 4, late)
    assert other.number == 2
