"""One admission after the other, on the real ledger, the real policies, and both databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from governance import clock
from governance.admission.asking import decision_of, denial_of
from governance.admission.facts import ref_of
from governance.admission.model import Decision, Owner
from governance.admission.tables import DecisionRow
from governance.audit.tables import AuditEvent
from governance.change.model import Terms
from governance.change.tables import Freeze, Grant
from governance.db.session import make_engine, reading, transaction
from governance.errors import BadInput, PolicyUnavailable
from governance.identity.tables import Node
from governance.policy.model import Evaluation
from governance.quota.model import CLAIM, STATEFUL_SET, Declaration
from governance.quota.observe import observe
from governance.quota.plan import ObjectRef, Observation
from governance.quota.tables import Charge, Usage
from governance.settings import Database
from governance.units import ResourceList
from tests.admission.conftest import CLUSTER, GPU, Hospital, approve, create, person, scale, training


def test_what_fits_is_allowed_and_stands_on_every_level_of_the_tree(hospital: Hospital) -> None:
    decision = hospital.ask(create(training(2)))
    assert decision.allowed
    assert [hospital.used(node, GPU) for node in ("ct-training", "radiology")] == [2, 2]
    assert hospital.used("imaging", GPU) == 8 + 2  # what radiology and pathology never lend is drawn, used or not
    assert [one.charge_id for one in hospital.rows("allow")] == [decision.charge_id]


def test_what_does_not_fit_is_denied_with_requested_used_limit_rule_and_a_link(hospital: Hospital) -> None:
    hospital.ask(create(training(10)))
    denied = hospital.ask(create(training(8), name="second"))
    assert not denied.allowed
    assert f"{GPU}: requested 8, used 10, limit 17 of radiology (rule radiology)" in denied.sentences[0]
    assert denied.sentences[0].endswith(f"open https://governance.example/ask/{denied.id}")
    assert hospital.used("radiology", GPU) == 10


def test_a_scale_is_decided_on_the_template_that_the_ledger_knows(hospital: Hospital) -> None:
    made = create(training(2))
    hospital.ask(made)
    assert hospital.ask(scale(made, 4)).allowed
    assert hospital.used("radiology", GPU) == 4
    assert not hospital.ask(scale(made, 40)).allowed


def test_a_scale_of_what_the_ledger_does_not_know_reads_the_cluster(hospital: Hospital) -> None:
    made = create(training(2))
    refused = hospital.ask(scale(made, 3))
    assert [one.code for one in refused.violations] == ["workload-unknown"]
    hospital.live[made.object_uid] = training(2)
    assert hospital.ask(scale(made, 3)).allowed
    assert hospital.used("radiology", GPU) == 3


def test_what_cannot_be_counted_yet_is_not_admitted(hospital: Hospital) -> None:
    refused = hospital.ask(replace(create(training(2)), unknown="not read yet: limit ranges"))
    assert not refused.allowed
    assert "ct-train takes is not known (not read yet: limit ranges), so it is not admitted" in refused.sentences[0]
    assert (len(hospital.rows("deny")), hospital.count(Charge)) == (1, 0)


def test_what_is_beyond_counting_is_refused_by_name(hospital: Hospital) -> None:
    made = create(training(2))
    assert hospital.ask(made).allowed
    with pytest.raises(BadInput, match=r"requests.memory: .* is more than can be counted"):
        hospital.ask(scale(made, 2**34))


def test_a_dry_run_says_the_same_and_writes_nothing(hospital: Hospital) -> None:
    events = hospital.count(AuditEvent)
    fits, too_much = create(training(2), dry_run=True), create(training(40), dry_run=True)
    assert hospital.ask(fits).allowed
    denied = hospital.ask(too_much)
    assert "requested 40, used 0, limit 17" in denied.sentences[0]
    assert not denied.link
    assert (hospital.count(DecisionRow), hospital.count(Charge), hospital.count(AuditEvent)) == (0, 0, events)


def test_the_same_request_again_is_charged_once(hospital: Hospital) -> None:
    made = create(training(2))
    first = hospital.ask(made)
    assert hospital.ask(made).id == first.id  # an exact replay: the same review uid
    assert hospital.ask(replace(made, uid=str(uuid4()))).allowed  # admission ran again for the same object
    assert hospital.ask(replace(made, uid=str(uuid4()), object_uid=str(uuid4()))).allowed  # the user tried again
    assert hospital.used("radiology", GPU) == 2


def test_a_repeated_denial_is_one_row_with_a_count_and_one_audit_event(hospital: Hospital) -> None:
    first = hospital.ask(create(training(40)))
    hospital.ask(create(training(3), name="other"))  # usage moves: the repetition is still the same denial
    again = hospital.ask(create(training(40)))
    assert again.id == first.id
    assert [one.count for one in hospital.rows("deny")] == [2]
    with reading(hospital.engine) as session:
        told = session.scalars(select(AuditEvent).where(col(AuditEvent.action) == "admission.deny")).all()
    assert [one.subject_id for one in told] == [str(first.id)]


def test_a_decision_keeps_what_it_was_made_from(hospital: Hospital) -> None:
    hospital.ask(create(training(2)))
    (row,) = hospital.rows("allow")
    assert row.policy_digest == hospital.admission.policy.digest
    assert row.config_revision == 1
    assert row.facts["increase"][GPU] == 2
    assert len(row.path) == 4
    assert row.person_id == person(hospital, "okafor").id
    hospital.ask(create(training(2), name="another", actor="system:serviceaccount:kube-system:job-controller"))
    assert {one.person_id for one in hospital.rows("allow")} == {row.person_id, None}  # a machine is nobody


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"scope": "elsewhere"}, "cluster-unknown"), ({"namespace": "nobody's"}, "namespace-unbound")],
)
def test_what_nobody_pays_for_is_denied_and_recorded(hospital: Hospital, changes: Mapping[str, str], code: str) -> None:
    denied = hospital.ask(create(training(1), **changes))
    assert [one.code for one in denied.violations] == [code]
    assert [one.violations[0]["code"] for one in hospital.rows("deny")] == [code]


def test_an_exempt_namespace_is_let_pass_and_charged_to_nobody(hospital: Hospital) -> None:
    assert hospital.ask(create(training(100), namespace="kube-system")).allowed
    assert hospital.count(Charge) == 0


def test_a_cluster_that_observes_lets_everything_pass_charges_it_and_tells(hospital: Hospital) -> None:
    hospital.switch("observe")
    decision = hospital.ask(create(training(30)))
    assert decision.allowed
    assert any("requested 30, used 0, limit 17" in one for one in decision.sentences)
    assert hospital.used("radiology", GPU) == 30


def test_a_switch_to_warn_holds_for_its_time_only(hospital: Hospital) -> None:
    hospital.switch("warn", warn_until=clock.now() + timedelta(hours=1))
    assert hospital.ask(create(training(30))).allowed
    hospital.switch("warn", warn_until=clock.now() - timedelta(hours=1))
    assert not hospital.ask(create(training(30), name="late")).allowed


class Broken:
    """A policy engine that answers as it is told to."""

    def __init__(self, answer: Evaluation | Exception, of: Hospital) -> None:
        self.digest = of.admission.policy.digest
        self.rules = of.admission.policy.rules
        self._answer = answer

    def evaluate(self, document: Mapping[str, Any]) -> Evaluation:  # noqa: ARG002
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (PolicyUnavailable("no answer within 1 s"), "policy-unavailable"),
        (Evaluation((), (), (), frozenset()), "check-missing"),
        (Evaluation((), (), (), frozenset({"approval", "freeze", "placement"})), "check-missing"),
    ],
)
def test_silence_and_missing_checks_deny(hospital: Hospital, answer: Evaluation | Exception, code: str) -> None:
    hospital.admission = replace(hospital.admission, policy=Broken(answer, hospital))
    denied = hospital.ask(create(training(1)))
    assert {one.code for one in denied.violations} == {code}
    assert not denied.askable
    assert hospital.used("radiology", GPU) == 0


def test_a_database_that_is_gone_denies_with_the_reason(hospital: Hospital) -> None:
    gone = make_engine(Database(url="postgresql+psycopg://nobody@127.0.0.1:1/nothing", connect_timeout_s=1))
    hospital.admission = replace(hospital.admission, engine=gone)
    denied = hospital.ask(create(training(1)))
    assert [one.code for one in denied.violations] == ["database-unavailable"]
    gone.dispose()


def test_a_ledger_that_moves_between_reading_and_writing_is_read_again(hospital: Hospital) -> None:
    """Policy sees 16 free of 17; before the answer is written somebody else takes 10 of them."""
    policy = hospital.admission.policy
    other = replace(hospital.admission)
    taken: list[Decision] = []

    class Meddling(Broken):
        def evaluate(self, document: Mapping[str, Any]) -> Evaluation:
            if not taken:
                taken.append(Hospital(hospital.engine, other, {}).ask(create(training(10), name="faster")))
            return policy.evaluate(document)

    hospital.admission = replace(hospital.admission, policy=Meddling(PolicyUnavailable(""), hospital))
    denied = hospital.ask(create(training(8), name="slower"))
    assert taken[0].allowed
    assert f"{GPU}: requested 8, used 10, limit 17 of radiology" in denied.sentences[0]
    assert hospital.used("radiology", GPU) == 10


def test_an_approved_exception_passes_once_and_for_this_request_only(hospital: Hospital) -> None:
    made = create(training(10))
    hospital.ask(made)
    wish = scale(made, 20)
    approve(hospital, hospital.ask(wish))
    assert not hospital.ask(scale(made, 21)).allowed
    passed = hospital.ask(replace(wish, uid=str(uuid4())))
    assert passed.allowed, passed.sentences
    assert passed.grant_id is not None
    assert hospital.ask(replace(wish, uid=str(uuid4()), resource_version="2")).allowed  # an update conflict: again
    assert hospital.used("radiology", GPU) == 20
    assert not hospital.ask(create(training(1), name="another")).allowed
    with reading(hospital.engine) as session:
        assert [one.state for one in session.scalars(select(Grant))] == ["in_use"]


def test_a_repeated_create_is_served_by_the_grant_that_the_first_one_used(hospital: Hospital) -> None:
    wish = create(training(20))
    approve(hospital, hospital.ask(wish))
    assert hospital.ask(wish).allowed
    again = replace(wish, uid=str(uuid4()), object_uid=str(uuid4()))
    assert hospital.ask(again).allowed, "the answer to the first was lost; the user repeats the command"
    assert hospital.used("radiology", GPU) == 20


def test_an_exception_for_less_admits_what_was_granted_and_no_more(hospital: Hospital) -> None:
    made = create(training(10))
    hospital.ask(made)
    denied = hospital.ask(scale(made, 20))
    with reading(hospital.engine) as session:
        asks = denial_of(session, decision_of(session, denied.id)).asks
    approve(hospital, denied, Terms.at_most(asks, {GPU: 18}))
    assert not hospital.ask(scale(made, 20)).allowed
    assert not hospital.ask(scale(made, 19)).allowed
    assert hospital.ask(scale(made, 18)).allowed


def test_a_freeze_denies_with_the_time_at_which_it_ends(hospital: Hospital) -> None:
    ends = datetime(2099, 1, 2, 6, 30, tzinfo=UTC)
    with transaction(hospital.engine) as session:
        root = session.scalars(select(Node).where(col(Node.depth) == 0)).one()
        session.add(
            Freeze(
                calendar="go-live", summary="Go-live of the new PACS", node_id=root.id, environments=[],
                starts_at=clock.now() - timedelta(hours=1), ends_at=ends,
            )
        )  # fmt: skip
    denied = hospital.ask(create(training(1)))
    assert "frozen until 2099-01-02 06:30 UTC: Go-live of the new PACS" in denied.sentences[0]


def test_a_controllers_pod_within_what_was_admitted_passes_a_freeze(hospital: Hospital) -> None:
    made = create(training(2))
    hospital.ask(made)
    unit = made.declaration.unit if made.declaration else ResourceList()
    owner = Owner("apps/deployments", made.name, made.object_uid)
    counted = ResourceList({"count/pods": 1})  # rises with each pod: no template foretells it
    declared = Declaration("core/pods", 1, unit, fixed=counted, template="t1")
    pod = create(declared, name="its", kind="core/pods", owner=owner, controller_made=True)
    with transaction(hospital.engine) as session:
        root = session.scalars(select(Node).where(col(Node.depth) == 0)).one()
        now = clock.now()
        session.add(
            Freeze(
                calendar="c", summary="s", node_id=root.id, environments=[], starts_at=now - timedelta(hours=1),
                ends_at=now + timedelta(hours=1),
            )
        )  # fmt: skip
    assert hospital.ask(pod).allowed
    assert not hospital.ask(replace(pod, uid="by-hand", object_uid="by-hand", controller_made=False)).allowed
    assert hospital.ask(scale(made, 2, controller_made=True)).allowed
    assert not hospital.ask(scale(made, 3, controller_made=True)).allowed


def test_a_controllers_pod_is_refused_where_a_limit_on_pods_is_reached(hospital: Hospital) -> None:
    made = create(training(2))
    hospital.ask(made)
    unit = made.declaration.unit if made.declaration else ResourceList()
    pod = create(
        Declaration("core/pods", 1, unit, fixed=ResourceList({"count/pods": 1}), template="t1"),
        name="its", kind="core/pods", owner=Owner("apps/deployments", made.name, made.object_uid), controller_made=True,
    )  # fmt: skip
    with transaction(hospital.engine) as session:
        root = session.scalars(select(Node).where(col(Node.depth) == 0)).one()
        session.add(Usage(node_id=root.id, resource="count/pods", depth=0, hard=0))
    refused = hospital.ask(pod)
    assert "count/pods: requested 1, used 0, limit 0 of st-elisabeth" in refused.sentences[0]


def test_a_pod_that_a_person_writes_below_an_owner_pays_for_itself(hospital: Hospital) -> None:
    made = create(training(10))
    hospital.ask(made)  # its pods are not there yet: ten GPUs of slack for whoever could claim them
    unit = made.declaration.unit if made.declaration else ResourceList()
    owner = Owner("apps/deployments", made.name, made.object_uid)
    pod = create(Declaration("core/pods", 1, unit, template="t2"), name="mine", kind="core/pods", owner=owner)
    assert hospital.ask(pod).allowed
    assert hospital.used("radiology", GPU) == 11
    of_its_controller = replace(pod, uid=str(uuid4()), object_uid=str(uuid4()), name="its", controller_made=True)
    assert hospital.ask(of_its_controller).allowed
    assert hospital.used("radiology", GPU) == 11


def test_a_claim_draws_on_its_set_if_a_controller_makes_it_and_pays_for_itself_if_a_person_does(
    hospital: Hospital,
) -> None:
    storage = "requests.storage"
    one = ResourceList({storage: 2**30})
    of_set = Declaration(STATEFUL_SET, 2, one, template="t1", claims=("data-store",))
    assert hospital.ask(create(of_set, name="store", kind=STATEFUL_SET)).allowed
    by_hand = create(Declaration(CLAIM, 1, one), name="data-store-0", kind=CLAIM)
    assert hospital.ask(by_hand).allowed
    assert hospital.used("radiology", storage) == 3 * 2**30
    of_its_controller = replace(by_hand, uid=str(uuid4()), object_uid=str(uuid4()), controller_made=True)
    assert hospital.ask(replace(of_its_controller, name="data-store-1")).allowed
    assert hospital.used("radiology", storage) == 3 * 2**30


def test_a_set_that_is_made_again_is_not_asked_for_the_claims_that_it_finds(hospital: Hospital) -> None:
    storage = "requests.storage"
    one = ResourceList({storage: 2**30})
    of_set = create(
        Declaration(STATEFUL_SET, 2, one, template="t1", claims=("data-store",)), name="store", kind=STATEFUL_SET
    )
    kept = ObjectRef(CLUSTER, "ct-training", "data-store-0", CLAIM, "kept")
    observe(hospital.engine, Observation(kept, "1", Declaration(CLAIM, 1, one)), now=clock.now())
    assert hospital.used("radiology", storage) == 2**30
    assert hospital.ask(of_set).allowed
    assert hospital.used("radiology", storage) == 2 * 2**30
    assert ref_of(scale(of_set, 3)).claims is None  # those that it names are not read for a Scale


def test_a_limit_cut_below_usage_lets_only_decreases_pass(hospital: Hospital) -> None:
    made = create(training(10))
    hospital.ask(made)
    with transaction(hospital.engine) as session:
        session.connection().execute(update(Usage).where(col(Usage.resource) == GPU).values(hard=5, borrowing=0))
    assert not hospital.ask(scale(made, 11)).allowed
    assert hospital.ask(scale(made, 10)).allowed
