"""Asking for a change: a person opens the link of a denial, says why, and submits. Opening alone makes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import Session, col, select

from governance.audit.log import record
from governance.change.circle import circle_of, nobody_can
from governance.change.model import (
    REASON_LENGTH_MAX,
    REFERENCE_LENGTH_MAX,
    Clocks,
    Denial,
    State,
    clocks,
    show_number,
)
from governance.change.tables import ChangeRequest
from governance.change.telling import tell
from governance.db.insert import insert_into
from governance.db.tables import Counter
from governance.errors import BadInput, NotFound
from governance.identity.tables import Node, Person
from governance.policy.model import Need

_COUNTER = "change"


def submit(
    session: Session,
    denial: Denial,
    person_id: UUID,
    reason: str,
    reference: str,
    valid_from: datetime | None,
    valid_until: datetime,
    now: datetime,
    *,
    request_id: str = "",
) -> ChangeRequest:
    """Make the change request that answers a denial, tell everybody who can approve it, and record who asked.

    Unique on the digest while it is open: asking again for the same answers the change that is there. A pending change
    of the same person for the same thing with other values is superseded.

    Args:
        denial: the decision that is answered, handed over by admission.
        reason: why, in the requester's own words; required.
        reference: an incident or ticket; may be empty.
        valid_from: None: at once.

    Raises:
        BadInput: a field is missing or too long, the denial cannot be answered by an exception, or not enough people
            could approve it.
    """
    reason, reference = check_words(reason, reference)
    if not denial.askable:
        raise BadInput(
            "This denial cannot be answered by an exception.",
            field="decision",
            remedy="Change the request so that it keeps to the rules that it broke.",
        )
    times = clocks(now, valid_from, valid_until)
    lock_numbers(session)
    existing = open_change(session, denial.digest)
    if existing is not None:
        return existing
    needs = needs_of(session, denial)
    circle = circle_of(session, needs, person_id, denial.actor_id, now)
    if missing := nobody_can(needs, circle):
        raise BadInput(missing, field="approvals", remedy="Ask a platform engineer to add approvers.")
    _supersede(session, denial, person_id, now)
    change = new_change(session, denial, person_id, reason, reference, times, needs, now)
    record_submission(session, change, "change.submit", now, request_id)
    speaking = frozenset[UUID]().union(*circle.speaking().values())
    tell(session, change, "change.submitted", [circle.people[id_] for id_ in sorted(speaking)], now)
    return change


def check_words(reason: str, reference: str) -> tuple[str, str]:
    """Both without white space around them. Raises BadInput for no reason, or for words that are too long."""
    reason, reference = reason.strip(), reference.strip()
    if not reason:
        raise BadInput("Say why this is needed.", field="reason", remedy="One sentence is enough.")
    for name, text, length_max in (
        ("reason", reason, REASON_LENGTH_MAX),
        ("reference", reference, REFERENCE_LENGTH_MAX),
    ):
        if len(text) > length_max or "\x00" in text:
            raise BadInput(
                "This text is too long or holds a NUL.", field=name, remedy=f"Use up to {length_max} characters."
            )
    return reason, reference


def lock_numbers(session: Session) -> None:
    """Take the lock under which changes are numbered and made, until the transaction ends."""
    session.exec(insert_into(session, Counter).values(name=_COUNTER, value=0).on_conflict_do_nothing())
    session.exec(select(Counter.value).where(Counter.name == _COUNTER).with_for_update()).one()


def open_change(session: Session, digest: str) -> ChangeRequest | None:
    """The change that is open for a digest."""
    return session.exec(select(ChangeRequest).where(ChangeRequest.open_digest == digest)).one_or_none()


def needs_of(session: Session, denial: Denial) -> tuple[Need, ...]:
    """Whose approval is needed: what policy said, or an approver of the project's department where it named nobody."""
    if denial.approvals:
        return denial.approvals
    project = session.get(Node, denial.project_id)
    department = project and project.parent_id and session.get(Node, project.parent_id)
    if not department:
        raise NotFound("The project of this decision is not there any more.", field="project")
    return (Need(denial.violations[0], f"approver@{department.name}", 1, 1),)


def new_change(
    session: Session,
    denial: Denial,
    person_id: UUID,
    reason: str,
    reference: str,
    times: Clocks,
    needs: Sequence[Need],
    now: datetime,
) -> ChangeRequest:
    """A pending change with the next number. The caller holds `lock_numbers`."""
    session.exec(update(Counter).where(col(Counter.name) == _COUNTER).values(value=col(Counter.value) + 1))
    number = session.exec(select(Counter.value).where(Counter.name == _COUNTER)).one()
    change = ChangeRequest(
        number=number,
        digest=denial.digest,
        open_digest=denial.digest,
        subject=denial.subject,
        target=denial.target,
        decision_id=denial.decision_id,
        state=State.PENDING,
        requester_id=person_id,
        actor=denial.actor,
        actor_id=denial.actor_id,
        project_id=denial.project_id,
        reason=reason,
        reference=reference,
        asks=denial.asks.as_dict(),
        waives=list(denial.violations),
        rules=[asdict(need) for need in needs],
        created_at=now,
        decide_by=times.decide_by,
        valid_from=times.valid_from,
        valid_until=times.valid_until,
    )
    session.add(change)
    session.flush()
    return change


def record_submission(
    session: Session,
    change: ChangeRequest,
    action: str,
    now: datetime,
    request_id: str,
    more: Mapping[str, Any] | None = None,
) -> None:
    """The audit event of a change that was just made; `more` is told of it beside what stands in its row."""
    record(
        session,
        session.get_one(Person, change.requester_id).name,
        action,
        "change",
        show_number(change.number),
        change.reason,
        after={
            "state": change.state,
            "kind": change.kind,
            "digest": change.digest,
            "decision": str(change.decision_id),
            "reference": change.reference,
            "asks": change.asks,
            "needs": change.rules,
            "valid_from": change.valid_from,
            "valid_until": change.valid_until,
            **(more or {}),
        },
        request_id=request_id,
        at=now,
    )


def _supersede(session: Session, denial: Denial, person_id: UUID, now: datetime) -> None:
    query = select(ChangeRequest).where(
        ChangeRequest.target == denial.target,
        ChangeRequest.requester_id == person_id,
        ChangeRequest.state == State.PENDING,
    )
    requester = session.get_one(Person, person_id)
    for older in session.exec(query.with_for_update()):
        older.state, older.open_digest, older.decided_at = State.SUPERSEDED, None, now
        older.version += 1
        record(
            session,
            requester.name,
            "change.supersede",
            "change",
            show_number(older.number),
            "The same person asked for the same thing with other values.",
            before={"state": State.PENDING},
            after={"state": State.SUPERSEDED},
            at=now,
        )
