"""The one use case of every door: a request in, a decision out, and what it takes reserved before the answer leaves."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count

import structlog
from sqlalchemy.exc import DBAPIError

from governance.admission import facts as facts_of
from governance.admission import record, sentences
from governance.admission.decide import refuse
from governance.admission.judge import Admission, Case, Course, Unasked, enforced, judge
from governance.admission.model import Decision, Request
from governance.change.grants import GrantFact, consume_statements
from governance.db.failures import collided
from governance.db.session import transaction
from governance.db.types import new_id
from governance.errors import DatabaseUnavailable
from governance.quota.ledger import Reservation, reserve, reserve_in
from governance.quota.model import AllowanceState
from governance.quota.plan import Proposal
from governance.quota.write import Reserved, Written, lock

WITHIN_S = 3.5  # the API server waits five; a connection may have to be waited for, and the answer has its way to go
_EVALUATIONS_MAX = 8  # the first, and more when what policy was asked about changed meanwhile
_PAUSE_S = 0.01  # before the second of them, and twice as long before each further one: a burst of events passes by
_UNLOCKED_MAX = 3  # attempts that may be overtaken; after them every other one keeps others out while it writes

_log = structlog.get_logger(__name__)


def admit(admission: Admission, request: Request, ends: float | None = None) -> Decision:
    """Decide on a request that wants more, or something else, than is there.

    Commits the reservation, the decision and its audit event before it returns an allow. A denial is recorded as well
    (a repeated identical one is counted). A dry run decides the same and writes nothing. A part that does not answer
    is a denial that says so, never an error.

    Args:
        ends: when to give up, on the monotonic clock; `WITHIN_S` from now, if not given.
    """
    ends = time.monotonic() + WITHIN_S if ends is None else ends
    course = Course(admission, request, new_id())
    if time.monotonic() >= ends:
        return _told(course, refuse(course.decision_id, "overloaded"))
    number = evaluations = 0
    try:
        for number in count(1):
            locking = number > _UNLOCKED_MAX and number % 2 == 0
            decided = _locked_attempt(course, ends) if locking else _attempt(course, ends)
            if decided is not None:
                return _told(course, decided)
            if time.monotonic() >= ends or course.evaluations >= _EVALUATIONS_MAX:
                break
            if course.evaluations > evaluations:
                evaluations = course.evaluations
                time.sleep(max(0.0, min(_PAUSE_S * 2 ** (evaluations - 1), ends - time.monotonic())))
    except DatabaseUnavailable as error:
        if number == 1 or time.monotonic() < ends:  # else the time ran out over attempts that were overtaken
            return _told(course, refuse(course.decision_id, "database-unavailable", reason=error.detail))
    return _told(course, refuse(course.decision_id, "contended"))


def _attempt(course: Course, ends: float) -> Decision | None:
    """No lock is held while policy decides. None: the ledger moved between reading and writing."""
    engine = course.admission.engine
    case = judge(course, facts_of.read(engine, course.request, ends))
    if not case.reserves or course.request.dry_run:
        return _denied(course, case, ends)
    return _written(case, reserve(engine, _reservation(case), ends))


def _locked_attempt(course: Course, ends: float) -> Decision | None:
    """Decide with what policy said before, while nobody else moves the charges that were seen.

    None: policy must be asked again, or a charge is there that was not seen.
    """
    course.may_ask = False
    try:
        with transaction(course.admission.engine, ends) as session:
            lock(session, course.request.scope, course.request.namespace, course.charges)
            case = judge(course, facts_of.read_in(session, course.request))
            if case.reserves:
                return _written(case, reserve_in(session, _reservation(case)))
        return _denied(course, case, ends)
    except Unasked:
        return None
    except (DBAPIError, DatabaseUnavailable) as error:
        if collided(error):
            return None
        raise
    finally:
        course.may_ask = True


def _denied(course: Course, case: Case, ends: float) -> Decision:
    """The decision where nothing is reserved; a denial is written down."""
    if case.decision.allowed or case.row is None or course.request.dry_run:
        return case.decision
    return record.denial(course.admission.engine, case.decision, case.row, ends)


def _reservation(case: Case) -> Reservation:
    if case.proposal is None:
        raise LookupError("a case that reserves has a proposal")
    grant = case.grant
    return Reservation(
        case.proposal,
        now=case.facts.at,
        alongside=(case.row, record.told_in_audit(case.row)) if case.row else (),
        extra=consume_statements(grant, case.digest, case.proposal.charge_id, case.facts.at) if grant else (),
        allowances=_allowances(grant, case.proposal) if grant else (),
        forced=not enforced(case.facts),
    )


def _written(case: Case, written: Written) -> Decision | None:
    """None: refused by the ledger's own guard, or moved; the facts must be read again."""
    if isinstance(written, Reserved):
        return case.decision
    what = {"outcome": type(written).__name__.lower(), "decision": str(case.decision.id)}
    _log.info("the ledger changed while a request was decided", **what)
    return None


def _allowances(grant: GrantFact, proposal: Proposal) -> tuple[AllowanceState, ...]:
    return tuple(
        AllowanceState(
            node_id=one["node_id"],
            resource=one["resource"],
            amount=one["amount"],
            grant_id=grant.id,
            charge_id=proposal.charge_id,
            until=grant.valid_until,
        )
        for one in grant.allowances
    )


def _told(course: Course, decision: Decision) -> Decision:
    """With the sentence that a person reads, and the link where an exception can be asked for. A dry run has none:
    nothing of it was written down that a link could show."""
    if decision.allowed:
        return replace(decision, sentences=tuple(sentences.sentence(one) for one in decision.warnings))
    admission = course.admission
    link = sentences.link(decision, admission.public_url) if decision.askable and not course.request.dry_run else ""
    return replace(decision, link=link, sentences=(sentences.message(decision, admission.policy.rules, link),))
