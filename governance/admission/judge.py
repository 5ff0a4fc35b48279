"""From facts to a case: what the ledger would become, what policy says of it, and the decision. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from governance.admission import record
from governance.admission.decide import decide, refuse
from governance.admission.digest import canonical, digest_of, footprint_of, subject_of
from governance.admission.document import document
from governance.admission.facts import Facts, images_in, ref_of
from governance.admission.governed import one_run
from governance.admission.model import Decision, Request
from governance.change.grants import GrantFact, pick
from governance.compliance.model import Asked, asked_of, new_images
from governance.db.base import NewRow
from governance.errors import ClusterUnavailable, PolicyUnavailable
from governance.policy.model import Evaluation, PolicyEngine
from governance.quota.autoscaling import charges_maximum
from governance.quota.model import AUTOSCALER, Declaration, mode_at, walk
from governance.quota.plan import Proposal
from governance.quota.propose import propose, reach, scaled
from governance.units import EMPTY, ResourceList

_PENDING_GRACE = timedelta(seconds=60 + 30)  # the API server's request timeout, and thirty seconds (LEDGER, Watch)


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


class Unasked(Exception):
    """Policy was not asked this question yet, and must not be asked now."""


@dataclass(slots=True)
class Course:
    """One request on its way, and what was asked of others for it: nothing twice while the question stays the same."""

    admission: Admission
    request: Request
    decision_id: UUID
    evaluations: int = 0
    may_ask: bool = True  # not while locks are held
    charges: tuple[UUID, ...] = ()  # that the last facts knew
    _question: Mapping[str, Any] | None = None
    _evaluation: Evaluation | None = None
    _live: dict[str, Declaration | None] = field(default_factory=dict)  # by uid

    def evaluate(self, question: Mapping[str, Any]) -> Evaluation:
        """Policy's answer; the earlier one if the question is the same but for the time of asking.

        Raises:
            Unasked: it would have to be asked, and may not.
            PolicyUnavailable: it gave no answer.
        """
        timeless = {name: value for name, value in question.items() if name != "time_s"}
        if self._evaluation is None or timeless != self._question:
            if not self.may_ask:
                raise Unasked
            self.evaluations += 1
            self._question, self._evaluation = timeless, self.admission.policy.evaluate(question)
        return self._evaluation

    def live(self, known: Declaration | None) -> Declaration | None:
        """The workload as it stands in its cluster. Raises Unasked, ClusterUnavailable."""
        uid = self.request.object_uid
        if uid not in self._live:
            if not self.may_ask:
                raise Unasked
            self._live[uid] = self.admission.read_live(self.request, known)
        return self._live[uid]


@dataclass(frozen=True, slots=True)
class Case:
    """The decision, and what is to be written with it. `row` None: nobody decided anything, or there is nothing new."""

    facts: Facts
    decision: Decision
    row: NewRow | None = None
    proposal: Proposal | None = None
    digest: str = ""
    grant: GrantFact | None = None

    @property
    def reserves(self) -> bool:
        """Whether the ledger is to be written."""
        return self.decision.allowed and self.proposal is not None


def judge(course: Course, facts: Facts) -> Case:
    """Judge a request on these facts.

    Raises:
        Unasked: what is not known must be asked for, and may not be asked for now.
        BadInput: what it takes is beyond what the ledger can hold.
    """
    request = course.request
    course.charges = tuple(facts.known.charges)
    early = _before_policy(course, facts)
    if early is not None:
        return _early(course, facts, early)
    try:
        declaration = _declaration(course, facts)
        reason = "it is not there"
    except ClusterUnavailable as error:
        declaration, reason = None, error.detail
    if declaration is None:
        values = {"kind": request.kind, "name": request.name, "reason": reason}
        unknown = refuse(course.decision_id, "workload-unknown", **values)
        return _early(course, facts, unknown if enforced(facts) else _as_warning(unknown))
    (declaration.value() + declaration.unit * declaration.surge | _footprint(facts, declaration)).within_range()
    proposal = _propose(course, facts, declaration)
    proposal.level.within_range()
    if _continues(request, facts, declaration, proposal):
        # Not a change: no freeze, approval or budget stops it (LEDGER, Continuity). The ledger takes note of the
        # object; nobody decided anything.
        return Case(facts, Decision(course.decision_id, "allow", charge_id=proposal.charge_id), proposal=proposal)
    return _decided(course, facts, declaration, proposal)


def _continues(request: Request, facts: Facts, declaration: Declaration, proposal: Proposal) -> bool:
    """Whether it stays within what was admitted: a controller's pod, a scale within the maximum that is charged. And
    where no maximum is charged, what an autoscaler may set takes nothing: its scales are asked about."""
    if request.controller_made:
        return _has_room_for_objects(facts, proposal)
    if proposal.delta:
        return False
    if request.kind == AUTOSCALER:
        return not charges_maximum(facts.known)
    running = facts.known.objects.get(request.object_uid)
    most = max(running.maxima.values(), default=0) if running else 0
    return declaration.replicas <= most and _only_scales(request, declaration)


def _only_scales(request: Request, declaration: Declaration) -> bool:
    """Whether all that is asked for is another number of replicas: a Scale, or a patch or apply of the same."""
    before = request.declaration_before
    if request.scale_to is not None or before is None:
        return request.scale_to is not None
    return len(request.changes) == 1 and replace(before, replicas=declaration.replicas).same(declaration)


def _has_room_for_objects(facts: Facts, proposal: Proposal) -> bool:
    """Whether all that rises is how many objects there are, with room for them: a pod that takes the place of another
    draws on what its root is charged, and adds itself to the count that fell when the other went."""
    return all(name.startswith("count/") for name in proposal.delta) and all(
        one.limit is None or one.used + one.increase <= one.limit
        for one in walk(facts.known.usage, proposal.plan.path, proposal.delta)
    )


def enforced(facts: Facts) -> bool:
    """Whether a denial is refused: a cluster that observes, or was switched to warn for a stated time, is only told."""
    cluster = facts.known.scope
    return cluster is None or mode_at(cluster.mode, cluster.warn_until, facts.at) == "enforce"


def _early(course: Course, facts: Facts, decision: Decision) -> Case:
    """An answer that no policy was asked for; a denial is written down like any other."""
    if decision.allowed:
        return Case(facts, decision)
    namespace = facts.known.binding
    project = namespace.path[0] if namespace and namespace.path else ""
    request = course.request
    row = record.row(
        request,
        facts,
        decision,
        asked={},
        canonical_request=canonical(request, "", EMPTY, project, ""),
        digest=digest_of(request, "", EMPTY, project, ""),
        subject=subject_of(request, "", project, ""),
        policy_digest=course.admission.policy.digest,
    )
    return Case(facts, decision, row)


def _before_policy(course: Course, facts: Facts) -> Decision | None:
    """What needs no policy: an unknown cluster, a namespace that is exempt or bound to nothing, an exact replay."""
    request, decision_id, known = course.request, course.decision_id, facts.known
    if known.scope is None:
        if request.door == "cloud":
            return refuse(decision_id, "account-unknown", account=request.scope)
        return refuse(decision_id, "cluster-unknown", cluster=request.scope)
    if known.binding is not None and known.binding.exempt:
        return Decision(id=decision_id, outcome="allow")
    if known.binding is None or not known.binding.path:
        if request.door == "cloud":
            unbound = refuse(decision_id, "account-unbound", account=request.scope)
        else:
            unbound = refuse(decision_id, "namespace-unbound", cluster=request.scope, namespace=request.namespace)
        return unbound if enforced(facts) else _as_warning(unbound)
    if facts.replay is not None:
        return Decision(id=facts.replay["id"], outcome="allow", charge_id=facts.replay["charge_id"])
    return None


def _as_warning(denied: Decision) -> Decision:
    return replace(denied, outcome="allow", violations=(), askable=False, warnings=denied.violations + denied.warnings)


def _declaration(course: Course, facts: Facts) -> Declaration | None:
    """What the object will declare.

    A Scale carries no template: it is derived from the workload as the ledger knows it, if that is the version in
    hand or a write of it is pending, else from the workload as it stands in the cluster.

    Raises Unasked, ClusterUnavailable.
    """
    request = course.request
    if request.unknown:
        raise ClusterUnavailable(request.unknown)
    if request.scale_to is None:
        return request.declaration
    state = facts.known.objects.get(request.object_uid)
    if state is not None and (state.observed_version == request.resource_version or state.pendings):
        derived = scaled(facts.known, request.object_uid, request.scale_to)
        if derived is not None:
            return derived
    live = course.live(state.last_known() if state else None)
    return None if live is None else replace(live, replicas=request.scale_to)


def _propose(course: Course, facts: Facts, declaration: Declaration, grant_id: UUID | None = None) -> Proposal:
    request = course.request
    project, environment = _project(facts)
    return propose(
        facts.known,
        ref_of(request),
        declaration,
        base_version=request.resource_version,
        content=digest_of(request, declaration.template, _footprint(facts, declaration), project, environment),
        deadline=facts.at + _PENDING_GRACE,
        grant=grant_id,
        decision_id=course.decision_id,
    )


def _project(facts: Facts) -> tuple[str, str]:
    """The project that pays, and its environment."""
    path = facts.known.binding.path if facts.known.binding else ()
    return path[0], facts.nodes[path[0]].environment or ""


def _decided(course: Course, facts: Facts, declaration: Declaration, proposal: Proposal) -> Case:
    request = course.request
    project, environment = _project(facts)
    after = _footprint(facts, declaration)
    digest = digest_of(request, declaration.template, after, project, environment)
    subject = subject_of(request, declaration.template, project, environment)
    grant = pick(facts.grants, digest, subject, after, facts.at, _waiting(facts, request, proposal))
    if grant is not None:
        proposal = _propose(course, facts, declaration, grant.id)
    question = _document(request, facts, declaration, proposal, grant)
    decision = replace(_decide(course, facts, question, grant, proposal), charge_id=proposal.charge_id)
    row = record.row(
        request,
        facts,
        decision,
        asked=question,
        canonical_request=canonical(request, declaration.template, after, project, environment),
        digest=digest,
        subject=subject,
        policy_digest=course.admission.policy.digest,
    )
    return Case(facts, decision, row, proposal, digest, grant)


def _footprint(facts: Facts, declaration: Declaration) -> ResourceList:
    """What it takes once it stands; an autoscaler with what it may make."""
    return footprint_of(declaration) + reach(facts.known, declaration)


def _waiting(facts: Facts, request: Request, proposal: Proposal) -> frozenset[UUID]:
    """The charges that a grant in use may already serve: the one that this object is in, and those of its name that
    nobody has seen yet, for this request repeats what they wait for, and at most one of them can exist."""
    native_id = ref_of(request).native_id
    return frozenset({proposal.charge_id}) | frozenset(
        one.id
        for one in facts.known.charges.values()
        if one.incarnation == request.object_uid
        or (one.state == "held" and (one.kind, one.native_id) == (request.kind, native_id))
    )


def _document(
    request: Request, facts: Facts, declaration: Declaration, proposal: Proposal, grant: GrantFact | None
) -> dict[str, Any]:
    known = facts.known
    if known.scope is None:
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
        cluster=known.scope,
        nodes=facts.nodes,
        path=proposal.plan.path,
        new_template=declaration.template not in admitted,
        images=declaration.images,
        increase=increase,
        level=proposal.level + must_fit,
        positions=walk(known.usage, proposal.plan.path, increase),
        approval_rules=facts.approval_rules,
        freezes=facts.freezes,
        budgets=facts.budgets,
        checkpoints=_checkpoints(request, facts, proposal),
        grant=grant,
    )


def _checkpoints(request: Request, facts: Facts, proposal: Proposal) -> tuple[Asked, ...]:
    """What is asked of the images that are new to the root (LEDGER, Continuity): it was admitted with those of all that
    it is known to declare. A controller's pod that draws on an admitted charge brings nothing new."""
    known = facts.known
    if not facts.requirements or (request.controller_made and proposal.charge_id in known.charges):
        return ()
    mine = (one for one in known.objects.values() if one.charge_id == proposal.charge_id and not one.gone)
    admitted = [image for one in mine for declared in one.declared() for image in declared.images]
    return asked_of(new_images(images_in(request), admitted), facts.requirements, facts.standings)


def _decide(
    course: Course, facts: Facts, question: Mapping[str, Any], grant: GrantFact | None, proposal: Proposal
) -> Decision:
    try:
        evaluation = course.evaluate(question)
    except PolicyUnavailable as error:
        decision = refuse(course.decision_id, "policy-unavailable", reason=error.detail)
    else:
        grant_id = grant.id if grant else None
        rules = course.admission.policy.rules
        decision = decide(course.decision_id, evaluation, rules, grant_id=grant_id, increase=proposal.delta)
    return decision if decision.allowed or enforced(facts) else _as_warning(decision)
