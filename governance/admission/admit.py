"""The one use case of every door: a request in, a decision out, and what it takes reserved before the answer leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Engine

from governance.admission import facts as facts_of
from governance.admission import record, sentences
from governance.admission.decide import decide, refuse
from governance.admission.digest import canonical, digest_of, footprint_of, subject_of
from governance.admission.document import document
from governance.admission.facts import Facts, ref_of
from governance.admission.governed import one_run
from governance.admission.model import Decision, Request
from governance.admission.tables import DecisionRow
from governance.change.grants import GrantFact, consume_statements, pick
from governance.db.types import new_id
from governance.errors import ClusterUnavailable, DatabaseUnavailable, PolicyUnavailable
from governance.policy.model import Evaluation, PolicyEngine
from governance.quota.ledger import reserve
from governance.quota.model import AllowanceState, Declaration, walk
from governance.quota.plan import Proposal, propose, scaled
from governance.quota.write import Reserved
from governance.units import EMPTY

_EVALUATIONS_MAX = 4  # the first, and three more when what policy was asked about changed meanwhile
_PATIENCE_S = 3.0  # a burst of events moves a charge without changing what policy is asked; the webhook waits 5 s
_PENDING_GRACE = timedelta(seconds=60 + 30)  # the API server's request timeout, and thirty seconds (LEDGER, Watch)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Admission:
    """What admissions need, made once at start.

    `read_live`: the declaration of a workload that the ledger does not know at the version in hand, read from the
    cluster itself; None when it is not there. It is handed what the ledger last knew. Raises ClusterUnavailable.
    """

    engine: Engine
    policy: PolicyEngine
    public_url: str
    read_live: Callable[[Request, Declaration | None], Declaration | None]


@dataclass(slots=True)
class _Asked:
    """What this request has asked others already: nothing is asked twice while the question stays the same."""

    question: Mapping[str, Any] | None = None
    evaluation: Evaluation | None = None
    evaluations: int = 0
    live: dict[str, Declaration | None] = field(default_factory=dict)  # by uid


@dataclass(frozen=True, slots=True)
class _Case:
    """One attempt: the facts, what the ledger would become, and what policy said of it."""

    facts: Facts
    proposal: Proposal
    digest: str
    grant: GrantFact | None
    decision: Decision
    row: DecisionRow


def admit(admission: Admission, request: Request) -> Decision:
    """Decide on a request that wants more, or something else, than is there.

    Commits the reservation, the decision and its audit event before it returns an allow. A denial is recorded as well
    (a repeated identical one is counted). A dry run decides the same and writes nothing. A part that does not answer
    is a denial that says so, never an error.
    """
    decision_id, asked = new_id(), _Asked()
    ends = time.monotonic() + _PATIENCE_S
    try:
        while time.monotonic() < ends:
            decided = _attempt(admission, request, decision_id, asked)
            if decided is not None:
                return _told(admission, request, decided)
            if asked.evaluations >= _EVALUATIONS_MAX:
                break
    except DatabaseUnavailable as error:
        return _told(admission, request, refuse(decision_id, "database-unavailable", reason=error.detail))
    return _told(admission, request, refuse(decision_id, "contended"))


def _attempt(admission: Admission, request: Request, decision_id: UUID, asked: _Asked) -> Decision | None:
    """None: the ledger moved between reading and writing."""
    facts = facts_of.read(admission.engine, request)
    early = _before_policy(request, facts, decision_id)
    if early is not None:
        return _recorded(admission, request, facts, early)
    try:
        declaration = _declaration(admission, request, facts, asked)
        reason = "it is not there"
    except ClusterUnavailable as error:
        declaration, reason = None, error.detail
    if declaration is None:
        unknown = refuse(decision_id, "workload-unknown", kind=request.kind, name=request.name, reason=reason)
        return _recorded(admission, request, facts, unknown)
    proposal = _propose(request, facts, declaration, decision_id)
    if request.controller_made and not proposal.delta:
        return _continue(admission, request, facts, proposal, decision_id)
    case = _judge(admission, request, facts, declaration, proposal, decision_id, asked)
    if request.dry_run:
        return case.decision
    if not case.decision.allowed:
        return record.denial(admission.engine, case.decision, case.row)
    return _reserve(admission.engine, case)


def _recorded(admission: Admission, request: Request, facts: Facts, decision: Decision) -> Decision:
    """An answer that no policy was asked for; a denial is written down like any other."""
    if decision.allowed or request.dry_run:
        return decision
    project = facts.known.namespace.path[0] if facts.known.namespace and facts.known.namespace.path else ""
    row = record.row(
        request,
        facts,
        decision,
        asked={},
        canonical_request=canonical(request, "", EMPTY, project, ""),
        digest=digest_of(request, "", EMPTY, project, ""),
        subject=subject_of(request, "", project, ""),
        policy_digest=admission.policy.digest,
    )
    return record.denial(admission.engine, decision, row)


def _propose(
    request: Request, facts: Facts, declaration: Declaration, decision_id: UUID, grant_id: UUID | None = None
) -> Proposal:
    project, environment = _project(facts)
    return propose(
        facts.known,
        ref_of(request),
        declaration,
        base_version=request.resource_version,
        content=digest_of(request, declaration.template, footprint_of(declaration), project, environment),
        deadline=facts.at + _PENDING_GRACE,
        grant=grant_id,
        decision_id=decision_id,
    )


def _project(facts: Facts) -> tuple[str, str]:
    """The project that pays, and its environment."""
    path = facts.known.namespace.path if facts.known.namespace else ()
    return path[0], facts.nodes[path[0]].environment or ""


def _continue(
    admission: Admission, request: Request, facts: Facts, proposal: Proposal, decision_id: UUID
) -> Decision | None:
    """A controller's pod, or an autoscaler's move, within what was admitted is not a change: no freeze, approval or
    budget stops it (LEDGER, Continuity). The ledger takes note of the object; nobody decided anything."""
    if not request.dry_run and not isinstance(reserve(admission.engine, proposal, now=facts.at), Reserved):
        return None
    return Decision(id=decision_id, outcome="allow", charge_id=proposal.charge_id)


def _before_policy(request: Request, facts: Facts, decision_id: UUID) -> Decision | None:
    """What needs no policy: an unknown cluster, a namespace that is exempt or bound to nothing, an exact replay."""
    known = facts.known
    if known.cluster is None:
        return refuse(decision_id, "cluster-unknown", cluster=request.scope)
    if known.namespace is not None and known.namespace.exempt:
        return Decision(id=decision_id, outcome="allow")
    if known.namespace is None or not known.namespace.path:
        unbound = refuse(decision_id, "namespace-unbound", cluster=request.scope, namespace=request.namespace)
        return unbound if _enforced(facts) else _as_warning(unbound)
    if facts.replay is not None:
        return Decision(id=facts.replay["id"], outcome="allow", charge_id=facts.replay["charge_id"])
    return None


def _enforced(facts: Facts) -> bool:
    """A cluster that observes, or that was switched to warn for a stated time, is told and not refused."""
    cluster = facts.known.cluster
    if cluster is None or cluster.mode == "enforce":
        return True
    return cluster.mode == "warn" and (cluster.warn_until is None or cluster.warn_until <= facts.at)


def _as_warning(denied: Decision) -> Decision:
    return replace(denied, outcome="allow", violations=(), askable=False, warnings=denied.violations + denied.warnings)


def _declaration(admission: Admission, request: Request, facts: Facts, asked: _Asked) -> Declaration | None:
    """What the object will declare.

    A Scale carries no template: it is derived from the workload as the ledger knows it, if that is the version in
    hand or a write of it is pending, else from the workload as it stands in the cluster.
    """
    if request.scale_to is None:
        return request.declaration
    state = facts.known.objects.get(request.object_uid)
    if state is not None and (state.observed_version == request.resource_version or state.pendings):
        derived = scaled(facts.known, request.object_uid, request.scale_to)
        if derived is not None:
            return derived
    if request.object_uid not in asked.live:
        asked.live[request.object_uid] = admission.read_live(request, state.last_known() if state else None)
    live = asked.live[request.object_uid]
    return None if live is None else replace(live, replicas=request.scale_to)


def _judge(
    admission: Admission,
    request: Request,
    facts: Facts,
    declaration: Declaration,
    proposal: Proposal,
    decision_id: UUID,
    asked: _Asked,
) -> _Case:
    project, environment = _project(facts)
    after = footprint_of(declaration)
    digest = digest_of(request, declaration.template, after, project, environment)
    subject = subject_of(request, declaration.template, project, environment)
    grant = pick(facts.grants, digest, subject, after, facts.at, _waiting(facts, request))
    if grant is not None:
        proposal = _propose(request, facts, declaration, decision_id, grant.id)
    question = _document(request, facts, declaration, proposal, grant)
    decided = _decide(admission, facts, question, grant, proposal, decision_id, asked)
    decision = replace(decided, charge_id=proposal.charge_id)
    row = record.row(
        request,
        facts,
        decision,
        asked=question,
        canonical_request=canonical(request, declaration.template, after, project, environment),
        digest=digest,
        subject=subject,
        policy_digest=admission.policy.digest,
    )
    return _Case(facts, proposal, digest, grant, decision, row)


def _waiting(facts: Facts, request: Request) -> frozenset[UUID]:
    """The charges that a grant in use may already serve: this object's own, and those of its name that nobody has
    seen yet, for this request repeats what they wait for, and at most one of them can exist."""
    native_id = ref_of(request).native_id
    return frozenset(
        one.id
        for one in facts.known.charges.values()
        if one.incarnation == request.object_uid
        or (one.state == "held" and (one.kind, one.native_id) == (request.kind, native_id))
    )


def _document(
    request: Request, facts: Facts, declaration: Declaration, proposal: Proposal, grant: GrantFact | None
) -> dict[str, Any]:
    known = facts.known
    if known.cluster is None:
        raise LookupError("a request without a cluster is answered before policy")
    must_fit = one_run(declaration)  # asked about, but not charged: a CronJob's runs are charged when they come
    increase = proposal.delta + must_fit
    running = known.objects.get(request.object_uid)
    admitted = {one.declaration.template for one in running.pendings} if running else set()
    if running and running.observed:
        admitted.add(running.observed.template)
    return document(
        request=request,
        at=facts.at,
        cluster=known.cluster,
        nodes=facts.nodes,
        path=proposal.plan.path,
        new_template=declaration.template not in admitted,
        images=declaration.images,
        increase=increase,
        level=proposal.level + must_fit,
        positions=walk(known.usage, proposal.plan.path, increase),
        approval_rules=facts.approval_rules,
        freezes=facts.freezes,
        grant=grant,
    )


def _decide(
    admission: Admission,
    facts: Facts,
    question: Mapping[str, Any],
    grant: GrantFact | None,
    proposal: Proposal,
    decision_id: UUID,
    asked: _Asked,
) -> Decision:
    try:
        evaluation = _evaluate(admission.policy, question, asked)
    except PolicyUnavailable as error:
        decision = refuse(decision_id, "policy-unavailable", reason=error.detail)
    else:
        grant_id = grant.id if grant else None
        rules = admission.policy.rules
        decision = decide(decision_id, evaluation, rules, grant_id=grant_id, increase=proposal.delta)
    return decision if decision.allowed or _enforced(facts) else _as_warning(decision)


def _evaluate(policy: PolicyEngine, question: Mapping[str, Any], asked: _Asked) -> Evaluation:
    """Policy's answer; the earlier one if the question is the same but for the time of asking."""
    timeless = {name: value for name, value in question.items() if name != "time_s"}
    if asked.evaluation is None or timeless != asked.question:
        asked.evaluations += 1
        asked.question, asked.evaluation = timeless, policy.evaluate(question)
    return asked.evaluation


def _reserve(engine: Engine, case: _Case) -> Decision | None:
    """Write what was allowed. None: refused by the ledger's own guard, or moved; the facts must be read again."""
    grant = case.grant
    written = reserve(
        engine,
        case.proposal,
        now=case.facts.at,
        alongside=(case.row, record.told_in_audit(case.row)),
        extra=consume_statements(grant, case.digest, case.proposal.charge_id, case.facts.at) if grant else (),
        allowances=_allowances(grant, case.proposal) if grant else (),
        forced=not _enforced(case.facts),
    )
    if isinstance(written, Reserved):
        return case.decision
    what = {"outcome": type(written).__name__.lower(), "kind": case.row.kind, "name": case.row.name}
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


def _told(admission: Admission, request: Request, decision: Decision) -> Decision:
    """With the sentence that a person reads, and the link where an exception can be asked for. A dry run has none:
    nothing of it was written down that a link could show."""
    if decision.allowed:
        return replace(decision, sentences=tuple(sentences.sentence(one) for one in decision.warnings))
    link = sentences.link(decision, admission.public_url) if decision.askable and not request.dry_run else ""
    return replace(decision, link=link, sentences=(sentences.message(decision, admission.policy.rules, link),))
