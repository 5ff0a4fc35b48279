"""Whatever happens in whatever order: what is charged covers what exists, and equals it once all is quiet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, event

from governance.bootstrap import metadata
from governance.db.session import make_engine
from governance.quota import autoscaling as aligning
from governance.quota import draft as drafting
from governance.quota import propose as proposing
from governance.quota import settle as settling
from governance.quota.limits import Limit
from governance.quota.model import AUTOSCALER, Declaration, Known, ObjectState
from governance.quota.plan import ObjectRef, Observation, Proposal, Settled
from governance.settings import Database
from governance.units import EMPTY, ResourceList
from tests.quota.hospital import DEPLOYMENT, POD, REPLICASET, found, limit
from tests.quota.ledgers import Ledger, Memory, Stored
from tests.quota.machine import Stored as Object
from tests.quota.machine import World

pytestmark = pytest.mark.long

T = TypeVar("T")

NAMES = st.sampled_from(["web", "job"])
REPLICAS = st.integers(0, 3)
MAXIMA = st.integers(2, 6)
TEMPLATES = st.sampled_from(["a", "b"])
PICK = st.integers(0, 30)
LIMIT = 14_000


class Wishes(RuleBasedStateMachine):
    """Users, the API server and the watch, one step at a time; controllers work while all becomes quiet."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.ledger())

    def ledger(self) -> Ledger:
        return Memory(limits={"requests.cpu": LIMIT})

    def of(self, kind: str) -> list[Object]:
        return [one for one in self.world.objects.values() if one.ref.kind == kind]

    @rule(name=NAMES, replicas=REPLICAS, template=TEMPLATES)
    def a_deployment_is_created(self, name: str, replicas: int, template: str) -> None:
        self.world.create(name, DEPLOYMENT, replicas, template)

    @precondition(lambda self: self.of(DEPLOYMENT))
    @rule(pick=PICK, replicas=REPLICAS, template=TEMPLATES)
    def a_deployment_is_changed(self, pick: int, replicas: int, template: str) -> None:
        self.world.update(one_of(self.of(DEPLOYMENT), pick), replicas, template)

    @precondition(lambda self: self.of(DEPLOYMENT))
    @rule(pick=PICK, replicas=REPLICAS)
    def a_deployment_is_scaled(self, pick: int, replicas: int) -> None:
        self.world.scale(one_of(self.of(DEPLOYMENT), pick), replicas)

    @precondition(lambda self: self.of(DEPLOYMENT))
    @rule(pick=PICK, replicas=REPLICAS)
    def a_scale_is_admitted_before_and_persists_after_what_was_told_of_it(self, pick: int, replicas: int) -> None:
        before = len(self.world.writes)
        self.world.scale(one_of(self.of(DEPLOYMENT), pick), replicas)
        while self.world.queue:
            self.world.deliver()
        for write in self.world.writes[before:]:
            self.world.persist(write)

    @rule(name=NAMES, of=NAMES, maximum=MAXIMA)
    def an_autoscaler_is_created(self, name: str, of: str, maximum: int) -> None:
        self.world.autoscale(name, of, maximum)

    @precondition(lambda self: self.of(AUTOSCALER))
    @rule(pick=PICK, of=NAMES, maximum=MAXIMA)
    def an_autoscaler_is_changed(self, pick: int, of: str, maximum: int) -> None:
        self.world.change_autoscaler(one_of(self.of(AUTOSCALER), pick), of, maximum)

    @rule(autoscaling=st.sampled_from(["maximum", "maximum", "current"]))
    def policy_on_autoscalers_changes(self, autoscaling: str) -> None:
        self.world.charge(autoscaling)

    @precondition(lambda self: any(one.ref.owner_uid is None for one in self.world.objects.values()))
    @rule(pick=PICK, orphan=st.booleans())
    def something_is_deleted(self, pick: int, orphan: bool) -> None:
        # A part of a Deployment is made again by its controller while what it leaves behind still runs: only an event
        # can tell of that, so a ReplicaSet is deleted here only if nothing owns it.
        parts = [one for one in self.of(REPLICASET) if one.ref.owner_uid is not None]
        whole = [one for one in self.world.objects.values() if one not in parts]
        one = one_of(whole, pick)
        self.world.delete(one, orphan=orphan and one.ref.owner_uid is None)

    @precondition(lambda self: self.world.writes)
    @rule(pick=PICK)
    def a_write_persists(self, pick: int) -> None:
        self.world.persist(one_of(self.world.writes, pick))

    @precondition(lambda self: self.world.writes)
    @rule(pick=PICK)
    def a_write_is_lost(self, pick: int) -> None:
        self.world.lose(one_of(self.world.writes, pick))

    @precondition(lambda self: self.world.writes)
    @rule(pick=PICK)
    def a_write_is_asked_about_again(self, pick: int) -> None:
        self.world.repeat(one_of(self.world.writes, pick))

    @precondition(lambda self: self.world.queue)
    @rule(times=st.integers(1, 5))
    def events_are_delivered(self, times: int) -> None:
        for _ in range(min(times, len(self.world.queue))):
            self.world.deliver()

    @precondition(lambda self: self.world.delivered)
    @rule(pick=PICK)
    def an_event_comes_again(self, pick: int) -> None:
        self.world.deliver_again(one_of(self.world.delivered, pick))

    @rule()
    def the_watch_breaks_off(self) -> None:
        self.world.break_off()

    @rule()
    def everything_is_listed(self) -> None:
        self.world.relist()

    @rule()
    def time_passes(self) -> None:
        self.world.time_passes()

    @rule(in_time=st.booleans())
    def all_becomes_quiet(self, in_time: bool) -> None:
        if not in_time:
            self.world.time_passes()
        self.world.come_to_rest()
        assert in_time or self.world.is_quiet()

    @invariant()
    def what_exists_is_charged(self) -> None:
        late = {"count/replicasets", "count/pods"}  # of what controllers make the watch tells; nobody asked for it
        persisted = ResourceList({name: n for name, n in self.world.persisted(told=False).items() if name not in late})
        assert persisted <= self.world.ledger.charged()

    @invariant()
    def nothing_else_is_charged_once_all_is_quiet(self) -> None:
        if self.world.is_quiet():
            assert self.world.ledger.charged() == self.world.persisted(told=True)

    @invariant()
    def every_total_is_what_the_charges_add_up_to(self) -> None:
        assert self.world.ledger.is_sound()


class Life(Wishes):
    """With parts of workloads, and controllers that work at any time."""

    @rule(name=NAMES, replicas=REPLICAS, template=TEMPLATES)
    def a_replica_set_is_created(self, name: str, replicas: int, template: str) -> None:
        self.world.create(f"{name}-x", REPLICASET, replicas, template)

    @rule(number=PICK, template=TEMPLATES, forged=st.booleans())
    def a_pod_is_created_that_may_claim_an_owner_whom_nobody_knows(
        self, number: int, template: str, forged: bool
    ) -> None:
        self.world.create(f"pod-{number}", POD, 1, template, owner="uid-of-nobody" if forged else None)

    @precondition(lambda self: self.of(POD))
    @rule(pick=PICK)
    def a_pod_is_taken_from_its_owner(self, pick: int) -> None:
        self.world.take_from_owner(one_of(self.of(POD), pick))

    @precondition(lambda self: self.of(POD))
    @rule(pick=PICK, millicores=st.sampled_from([1000, 1500, 2500]))
    def a_pod_is_resized(self, pick: int, millicores: int) -> None:
        self.world.resize(one_of(self.of(POD), pick), millicores)

    @rule(millicores=st.sampled_from([0, 500]))
    def from_now_on_pods_get_a_sidecar_or_none(self, millicores: int) -> None:
        self.world.sidecar = millicores

    @precondition(lambda self: self.of(DEPLOYMENT) or self.of(REPLICASET))
    @rule(pick=PICK, steps=st.integers(1, 4))
    def a_controller_works(self, pick: int, steps: int) -> None:
        for step in range(steps):
            self.world.reconcile(one_of(self.of(DEPLOYMENT) + self.of(REPLICASET), pick + step))

    @rule()
    def garbage_is_collected(self) -> None:
        self.world.collect_garbage()


def one_of(many: Sequence[T], pick: int) -> T:
    return many[pick % len(many)]


THOROUGH = settings(
    max_examples=600,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
)
# It stops at the first failure; one in two thousand lives is not always enough to meet a credit that comes early.
QUICK = settings(THOROUGH, max_examples=20_000, phases=[Phase.generate])


class StoredLife(Life):
    """The same life on a database."""

    engine: Engine

    def ledger(self) -> Stored:
        with self.engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        found_by = found(self.engine)
        limit(self.engine, Limit(found_by.ct, "requests.cpu", LIMIT))
        return Stored(self.engine)


def test_what_is_charged_covers_what_exists_and_equals_it_once_all_is_quiet() -> None:
    run_state_machine_as_test(Life, settings=THOROUGH)


def test_it_does_on_a_database_too(tmp_path: Path) -> None:
    engine = make_engine(Database(url=f"sqlite:///{tmp_path}/ledger.db"))
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    metadata.create_all(engine)
    StoredLife.engine = engine
    try:
        run_state_machine_as_test(StoredLife, settings=settings(QUICK, max_examples=15, stateful_step_count=30))
    finally:
        engine.dispose()


def trust_owner_references(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that names an owner is paid by that owner, known or not."""
    original = drafting._charge_for

    def charge_for(draft: drafting.Draft, ref: ObjectRef) -> UUID:
        made = original(draft, ref)
        if ref.owner_uid is not None:
            draft.charges[made] = replace(draft.charges[made], path=())
        return made

    monkeypatch.setattr(drafting, "_charge_for", charge_for)


def skip_pendings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what was observed counts."""
    monkeypatch.setattr(ObjectState, "value", lambda state: state.observed.value() if state.observed else EMPTY)


def credit_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any newer event of the object settles all that is pending, whatever version that was made on."""
    original = settling._resolved

    def resolved(state: ObjectState, seen: Observation, *, newer: bool) -> tuple[ObjectState, list[Settled]]:
        loose = tuple(replace(one, base_version="") for one in state.pendings)
        return original(replace(state, pendings=loose), seen, newer=newer)

    monkeypatch.setattr(settling, "_resolved", resolved)


def key_by_review(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each review of a CREATE is charged, as if its uid told one wish from another."""
    original = proposing.propose

    def propose(known: Known, ref: ObjectRef, declaration: Declaration, *, base_version: str, **rest: Any) -> Proposal:  # noqa: ANN401
        keyed = ref if base_version else replace(ref, uid=str(uuid4()))
        return original(known, keyed, declaration, base_version=base_version, **rest)

    monkeypatch.setattr(proposing, "propose", propose)


def ignore_live_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workload's pods take what its template says, whatever they were seen to take."""
    monkeypatch.setattr(drafting, "_recounted", lambda *_: {})


def believe_the_newest_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    """An autoscaler may set what the last write of it says that was admitted, whatever becomes of that."""

    def targets(state: ObjectState) -> dict[str, int]:
        return {one.target: one.maximum for one in state.declared()[-1:] if one.target}

    monkeypatch.setattr(ObjectState, "targets", targets)


def wait_for_the_maximum_to_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An autoscaler may set what was observed of it."""

    def targets(state: ObjectState) -> dict[str, int]:
        return {one.target: one.maximum for one in (state.observed,) if one and one.target}

    monkeypatch.setattr(ObjectState, "targets", targets)


def tell_only_what_the_autoscaler_stands_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """A successor that waits to be seen beside what it succeeds is not told what the autoscaler may set."""
    original = drafting.put

    def put(draft: drafting.Draft, after: ObjectState) -> None:
        mine = {uid: n for uid, n in after.maxima.items() if draft.objects[uid].parent_uid in (None, after.uid)}
        original(draft, replace(after, maxima=mine))

    monkeypatch.setattr(aligning, "put", put)


@pytest.mark.parametrize(
    "mutate",
    [trust_owner_references, skip_pendings, credit_early, key_by_review, ignore_live_pods],
)
def test_it_would_not_if_the_ledger(
    mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Life, settings=QUICK)


@pytest.mark.parametrize(
    "mutate",
    [
        believe_the_newest_maximum,
        wait_for_the_maximum_to_be_seen,
        tell_only_what_the_autoscaler_stands_below,
    ],
)
def test_it_would_not_if_of_autoscalers_the_ledger(
    mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Wishes, settings=QUICK)
