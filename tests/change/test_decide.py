"""From a denial to a grant: asking, deciding, telling, recording; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from governance.audit.tables import AuditEvent
from governance.change.decide import Decided, decide
from governance.change.model import AS_ASKED, Denial, State, Terms, Verdict
from governance.change.submit import submit
from governance.change.tables import ChangeRequest, Grant
from governance.db.session import transaction
from governance.errors import BadInput, Forbidden, NotFound, StaleVersion
from governance.notify.tables import OutboxMessage
from governance.policy.model import Need
from tests.change.hospital import GPU, NOW, RADIOLOGY, UNTIL, Hospital, delegate, denial, less, open_hospital


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with transaction(engine) as one:
        yield one


@pytest.fixture
def hospital(session: Session) -> Hospital:
    return open_hospital(session)


def ask(session: Session, hospital: Hospital, one: Denial | None = None, person: str = "okafor") -> ChangeRequest:
    return submit(
        session,
        one or denial(hospital),
        hospital.people[person],
        "Backlog of 1,900 CT studies after the scanner outage.",
        "INC-22719",
        None,
        UNTIL,
        NOW,
    )


def say(
    session: Session,
    hospital: Hospital,
    change: ChangeRequest,
    person: str,
    verdict: Verdict = "approve",
    note: str = "",
    terms: Terms = AS_ASKED,
    version: int | None = None,
) -> Decided:
    return decide(
        session,
        change.id,
        hospital.people[person],
        verdict,
        note,
        terms,
        change.version if version is None else version,
        NOW + timedelta(minutes=18),
    )


def receivers(session: Session, topic: str) -> list[str]:
    query = select(OutboxMessage.receiver).where(OutboxMessage.topic == topic, OutboxMessage.channel == "email")
    return sorted(session.exec(query))


def actions(session: Session) -> list[str]:
    return list(session.exec(select(AuditEvent.action).order_by(col(AuditEvent.id))))


def test_submitting_makes_a_numbered_pending_change_and_tells_those_who_can_approve(
    session: Session, hospital: Hospital
) -> None:
    change = ask(session, hospital)
    assert (change.number, change.state, change.version) == (1, State.PENDING, 1)
    assert change.decide_by == NOW + timedelta(days=3)
    assert receivers(session, "change.submitted") == [
        "berg@hospital.example",
        "haddad@hospital.example",
        "lindqvist@hospital.example",
    ]
    assert actions(session) == ["change.submit"]


def test_asking_twice_for_the_same_answers_the_change_that_is_there(session: Session, hospital: Hospital) -> None:
    first, second = ask(session, hospital), ask(session, hospital)
    assert first.id == second.id
    assert len(receivers(session, "change.submitted")) == 3


def test_numbers_are_gapless(session: Session, hospital: Hospital) -> None:
    numbers = [ask(session, hospital, denial(hospital, digest=digit * 64)).number for digit in "abc"]
    assert numbers == [1, 2, 3]


def test_asking_for_the_same_thing_with_other_values_supersedes_the_pending_change(
    session: Session, hospital: Hospital
) -> None:
    first = ask(session, hospital)
    ask(session, hospital, denial(hospital, digest="b" * 64))
    assert first.state == State.SUPERSEDED
    assert first.open_digest is None


def test_a_denial_that_no_exception_answers_is_refused(session: Session, hospital: Hospital) -> None:
    with pytest.raises(BadInput, match="cannot be answered by an exception"):
        ask(session, hospital, less(denial(hospital), askable=False))


def test_needs_that_nobody_could_satisfy_are_refused_and_the_sentence_says_who_is_missing(
    session: Session, hospital: Hospital
) -> None:
    two = Need("two-eyes", "platform", 2, 1)
    with pytest.raises(BadInput, match=r"platform needs 2 people \(rule two-eyes\) and lacks 1 person"):
        ask(session, hospital, denial(hospital, needs=(two, RADIOLOGY)))


def test_the_requester_does_not_count_among_those_who_could_approve(session: Session, hospital: Hospital) -> None:
    with pytest.raises(BadInput, match="platform needs 1 person"):
        ask(session, hospital, person="lindqvist")


def test_a_denial_without_named_approvers_needs_the_projects_department(session: Session, hospital: Hospital) -> None:
    change = ask(session, hospital, less(denial(hospital, needs=()), violations=("freeze",)))
    assert change.rules == [{"rule": "freeze", "group": "approver@radiology", "minimum": 1, "deny_minimum": 1}]


@pytest.mark.parametrize(("reason", "field"), [("", "reason"), ("  ", "reason"), ("x" * 2001, "reason")])
def test_a_reason_is_required_and_bounded(session: Session, hospital: Hospital, reason: str, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        submit(session, denial(hospital), hospital.people["okafor"], reason, "", None, UNTIL, NOW)
    assert refused.value.field == field


def test_the_last_approval_that_is_needed_makes_a_grant_with_the_overrun_as_allowance(
    session: Session, hospital: Hospital
) -> None:
    change = ask(session, hospital)
    first = say(session, hospital, change, "lindqvist", note="Node pool has room until Monday.")
    assert (first.change.state, first.grant) == (State.PENDING, None)
    second = say(session, hospital, change, "haddad")
    assert second.change.state == State.APPROVED
    assert second.grant is not None
    assert (second.grant.digest, second.grant.ceiling) == (change.digest, None)
    assert second.grant.waives == ["headroom", "approval"]
    radiology = str(hospital.nodes["radiology"])
    assert second.grant.allowances == [{"node_id": radiology, "scope": "", "resource": GPU, "amount": 4}]
    assert receivers(session, "change.approved") == ["okafor@hospital.example"]
    assert actions(session) == ["change.submit", "change.approve", "change.approve"]


def test_approving_for_less_binds_the_grant_to_a_ceiling_and_a_smaller_allowance(
    session: Session, hospital: Hospital
) -> None:
    change = ask(session, hospital)
    asks = denial(hospital).asks
    say(session, hospital, change, "lindqvist", terms=Terms.at_most(asks, {GPU: 5}))
    until = NOW + timedelta(days=2)
    grant = say(session, hospital, change, "haddad", terms=Terms.at_most(asks, {GPU: 6}, until)).grant
    assert grant is not None
    assert grant.ceiling == {GPU: 5, "requests.cpu": 8000}
    assert [row["amount"] for row in grant.allowances] == [1]
    assert grant.valid_until == until


@pytest.mark.parametrize("amount", [2, 8, 9])
def test_terms_lie_between_what_is_there_and_what_is_asked(session: Session, hospital: Hospital, amount: int) -> None:
    change = ask(session, hospital)
    terms = Terms.at_most(denial(hospital).asks, {GPU: amount, "requests.cpu": 2000 if amount == 2 else 8000})
    with pytest.raises(BadInput):
        say(session, hospital, change, "lindqvist", terms=terms)


def test_one_rejection_ends_it_and_needs_a_note(session: Session, hospital: Hospital) -> None:
    change = ask(session, hospital)
    with pytest.raises(BadInput, match="Say why you reject"):
        say(session, hospital, change, "haddad", "reject", "  ")
    say(session, hospital, change, "haddad", "reject", "Use the night queue.")
    assert (change.state, change.open_digest) == (State.REJECTED, None)
    assert session.exec(select(Grant)).all() == []
    assert receivers(session, "change.rejected") == ["okafor@hospital.example"]


def test_after_a_rejection_the_same_can_be_asked_again(session: Session, hospital: Hospital) -> None:
    change = ask(session, hospital)
    say(session, hospital, change, "haddad", "reject", "Use the night queue.")
    assert ask(session, hospital).number == 2


@pytest.mark.parametrize(
    ("person", "why"),
    [
        ("okafor", "You asked for this change"),
        ("stranger", "You may not speak for"),
        ("admin", "You may not speak for"),
    ],
)
def test_whoever_asked_or_has_no_say_cannot_decide(session: Session, hospital: Hospital, person: str, why: str) -> None:
    change = ask(session, hospital)
    with pytest.raises(Forbidden, match=why):
        say(session, hospital, change, person)
    assert change.version == 1


def test_a_delegate_of_the_requester_cannot_decide(session: Session, hospital: Hospital) -> None:
    delegate(session, hospital, "okafor", to="haddad")
    change = ask(session, hospital)
    with pytest.raises(Forbidden, match="You act for the person who asked"):
        say(session, hospital, change, "haddad")


def test_a_delegate_of_the_requester_does_not_count_among_those_who_could_approve(
    session: Session, hospital: Hospital
) -> None:
    delegate(session, hospital, "okafor", to="lindqvist")
    with pytest.raises(BadInput, match="platform needs 1 person"):
        ask(session, hospital)


def test_the_person_behind_the_actor_cannot_decide(session: Session, hospital: Hospital) -> None:
    change = ask(session, hospital, less(denial(hospital), actor_id=hospital.people["haddad"]))
    with pytest.raises(Forbidden, match="in your name on the cluster"):
        say(session, hospital, change, "haddad")


def test_a_delegate_of_an_approver_decides_in_their_place_once(session: Session, hospital: Hospital) -> None:
    delegate(session, hospital, "haddad", to="stranger")
    change = ask(session, hospital, denial(hospital, needs=(Need("two", "approver@radiology", 2, 1),)))
    say(session, hospital, change, "stranger")
    say(session, hospital, change, "haddad")
    assert change.state == State.PENDING
    say(session, hospital, change, "berg")
    assert change.state == State.APPROVED


def test_saying_the_same_again_changes_nothing_even_with_an_old_version(session: Session, hospital: Hospital) -> None:
    change = ask(session, hospital)
    say(session, hospital, change, "lindqvist")
    version, events = change.version, actions(session)
    assert say(session, hospital, change, "lindqvist", version=1).change is change
    assert (change.version, actions(session)) == (version, events)


def test_whoever_decides_on_an_old_version_is_told_that_somebody_else_was_first(
    session: Session, hospital: Hospital
) -> None:
    change = ask(session, hospital)
    say(session, hospital, change, "lindqvist")
    with pytest.raises(StaleVersion, match="Somebody else was first: CH-1 is pending now"):
        say(session, hospital, change, "haddad", version=1)


def test_a_person_may_change_their_mind_while_it_is_pending(session: Session, hospital: Hospital) -> None:
    change = ask(session, hospital)
    say(session, hospital, change, "lindqvist")
    say(session, hospital, change, "lindqvist", "reject", "The node pool is full after all.")
    assert change.state == State.REJECTED


def test_a_window_that_begins_later_is_scheduled(session: Session, hospital: Hospital) -> None:
    start = NOW + timedelta(days=1)
    change = submit(session, denial(hospital), hospital.people["okafor"], "Why.", "", start, UNTIL, NOW)
    say(session, hospital, change, "lindqvist")
    grant = say(session, hospital, change, "haddad").grant
    assert change.state == State.SCHEDULED
    assert grant is not None
    assert grant.valid_from == start


def test_after_the_time_to_decide_nobody_can(session: Session, hospital: Hospital) -> None:
    change = ask(session, hospital)
    late = change.decide_by
    with pytest.raises(Forbidden, match="The time to decide this change is over"):
        decide(session, change.id, hospital.people["haddad"], "approve", "", AS_ASKED, change.version, late)


def test_an_unknown_change_is_not_found(session: Session, hospital: Hospital) -> None:
    with pytest.raises(NotFound):
        decide(session, UUID(int=1), hospital.people["haddad"], "approve", "", AS_ASKED, 1, NOW)


def test_nothing_is_told_or_recorded_when_the_transaction_is_not_committed(engine: Engine) -> None:
    with transaction(engine) as session:
        hospital = open_hospital(session)

    def ask_and_break() -> None:
        with transaction(engine) as session:
            ask(session, hospital)
            raise RuntimeError("the page broke")

    with pytest.raises(RuntimeError, match="the page broke"):
        ask_and_break()
    with transaction(engine) as session:
        assert session.exec(select(ChangeRequest)).all() == []
        assert session.exec(select(OutboxMessage)).all() == []
        assert session.exec(select(AuditEvent)).all() == []
        assert ask(session, hospital).number == 1


def test_one_person_counts_for_one_need_only(session: Session, hospital: Hospital) -> None:
    both = (Need("one", "platform", 1, 1), Need("two", "platform", 1, 1))
    with pytest.raises(BadInput, match="lacks 1 person"):
        ask(session, hospital, denial(hospital, needs=both))
