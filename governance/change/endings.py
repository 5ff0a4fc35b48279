"""How a change ends other than by a decision: withdrawn by whoever asked, revoked, or expired."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, and_, or_, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from governance.audit.log import record
from governance.change.circle import circle_of
from governance.change.decide import check_note, check_version, lock_change, move
from governance.change.grants import SERVICE
from governance.change.model import USABLE, State, Step, show_number
from governance.change.tables import ChangeRequest, Grant
from governance.change.telling import tell
from governance.db.session import transaction
from governance.errors import BadInput, Forbidden
from governance.identity.tables import Person
from governance.policy.model import Need


def withdraw(
    session: Session,
    change_id: UUID,
    person_id: UUID,
    expected_version: int,
    now: datetime,
    *,
    note: str = "",
    request_id: str = "",
) -> ChangeRequest:
    """The requester takes the change back, decided or not, as long as its grant is not used. Again: no effect.

    Raises:
        NotFound, StaleVersion; Forbidden: somebody else asked for it; Conflict: it is used, or has ended.
    """
    change = lock_change(session, change_id)
    if person_id != change.requester_id:
        raise Forbidden("Somebody else asked for this change, so only they can withdraw it.")
    if change.state == State.WITHDRAWN:
        return change
    return _take_back(session, change, Step.WITHDRAW, person_id, expected_version, note.strip(), now, request_id)


def revoke(
    session: Session,
    change_id: UUID,
    person_id: UUID,
    note: str,
    expected_version: int,
    now: datetime,
    *,
    request_id: str = "",
) -> ChangeRequest:
    """Take back a grant that is not used yet. The caller has checked `change:revoke`. Again: no effect.

    Raises:
        NotFound, StaleVersion; BadInput: no note; Conflict: it is used, or was never approved.
    """
    change = lock_change(session, change_id)
    if change.state == State.REVOKED:
        return change
    if not note.strip():
        raise BadInput("Say why you revoke this.", field="note", remedy="One sentence is enough.")
    return _take_back(session, change, Step.REVOKE, person_id, expected_version, note.strip(), now, request_id)


def expire_due(engine: Engine, now: datetime, limit: int = 100) -> int:
    """End what nobody decided, or used, in time; run every minute. Returns how many changes ended.

    Each is ended in a transaction of its own, so that one that cannot be does not keep the others.
    """
    ended = 0
    for _ in range(limit):
        with transaction(engine) as session:
            change = session.exec(_due(now)).first()
            if change is None:
                break
            _expire(session, change, now)
            ended += 1
    return ended


def void_grants(
    session: Session, scope: str, person_id: UUID, why: str, now: datetime, *, request_id: str = ""
) -> list[str]:
    """Revoke every grant of a cluster that is not used yet, and tell its requester. The caller has checked the right.

    Returns:
        the numbers of their changes.
    """
    of_scope = col(ChangeRequest.target).startswith(f"{scope}/", autoescape=True)
    usable = select(ChangeRequest).where(col(ChangeRequest.state).in_(USABLE), of_scope)
    changes = session.exec(usable.order_by(col(ChangeRequest.number)).with_for_update()).all()
    person = session.get_one(Person, person_id)
    for change in changes:
        before = change.state
        move(session, change, Step.REVOKE, open_digest=None)
        _end_grant(session, change.id, "revoked")
        _tell_of_the_end(session, change, person.name, "change.revoke", "change.revoked", before, why, now, request_id)
    return [show_number(change.number) for change in changes]


def _due(now: datetime) -> SelectOfScalar[ChangeRequest]:
    undecided = and_(col(ChangeRequest.state) == State.PENDING, col(ChangeRequest.decide_by) <= now)
    over = col(ChangeRequest.id).in_(
        select(Grant.change_id).where(col(Grant.state) == "active", col(Grant.valid_until) <= now)
    )
    unused = and_(col(ChangeRequest.state).in_(USABLE), over)
    query = select(ChangeRequest).where(or_(undecided, unused)).order_by(col(ChangeRequest.number)).limit(1)
    return query.with_for_update(skip_locked=True)


def _expire(session: Session, change: ChangeRequest, now: datetime) -> None:
    before = change.state
    _end_grant(session, change.id, "expired")
    move(session, change, Step.EXPIRE, open_digest=None)
    why = "Nobody decided in time." if before == State.PENDING else "Nobody used it in time."
    _tell_of_the_end(session, change, SERVICE, "change.expire", "change.expired", before, why, now, "")


def _take_back(
    session: Session,
    change: ChangeRequest,
    step: Step,
    person_id: UUID,
    expected_version: int,
    note: str,
    now: datetime,
    request_id: str,
) -> ChangeRequest:
    check_version(change, expected_version)
    check_note(note)
    before = change.state
    move(session, change, step, open_digest=None, decided_at=change.decided_at or now)
    _end_grant(session, change.id, "revoked")
    person = session.get_one(Person, person_id)
    topic = "change.withdrawn" if step is Step.WITHDRAW else "change.revoked"
    _tell_of_the_end(session, change, person.name, f"change.{step}", topic, before, note, now, request_id)
    return change


def _end_grant(session: Session, change_id: UUID, state: str) -> None:
    unused = update(Grant).where(col(Grant.change_id) == change_id, col(Grant.state) == "active")
    session.exec(unused.values(state=state))


def _tell_of_the_end(
    session: Session,
    change: ChangeRequest,
    actor: str,
    action: str,
    topic: str,
    before: str,
    why: str,
    now: datetime,
    request_id: str,
) -> None:
    record(
        session,
        actor,
        action,
        "change",
        show_number(change.number),
        why,
        before={"state": before},
        after={"state": change.state},
        request_id=request_id,
        at=now,
    )
    requester = session.get_one(Person, change.requester_id)
    receivers = [requester]
    if before == State.PENDING:  # whoever was asked to decide learns that there is nothing left to decide
        needs = [Need(**need) for need in change.rules]
        receivers += circle_of(session, needs, change.requester_id, change.actor_id, now).people.values()
    who = requester.display_name if actor == requester.name else actor
    tell(session, change, topic, [one for one in receivers if one.name != actor], now, {"note": why, "who": who})
