"""StatefulSets and claims, whatever happens in whatever order: what exists is charged, once, when all is quiet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, event

from governance.bootstrap import metadata
from governance.db.session import make_engine
from governance.quota.limits import Limit
from governance.quota.model import CLAIM, STATEFUL_SET, Declaration, claim_key
from governance.quota.plan import ObjectRef, Observation
from governance.settings import Database
from governance.units import ResourceList, sum_of
from tests.quota.hospital import found, limit
from tests.quota.ledgers import Ledger, Memory, Stored
from tests.quota.machine import Stored as Object
from tests.quota.machine import World, Write
from tests.quota.test_machine import PICK, QUICK, THOROUGH, one_of

pytestmark = pytest.mark.long

STORAGE = "requests.storage"
SIZE = 10
LIMIT = 90
NAMES = st.sampled_from(["store", "archive"])
REPLICAS = st.integers(0, 3)


def counted(kind: str) -> ResourceList:
    return ResourceList({f"count/{kind.partition('/')[2]}": 1})


def a_set(name: str, replicas: int) -> Declaration:
    unit = ResourceList({STORAGE: SIZE})
    return Declaration(
        STATEFUL_SET, replicas, unit, fixed=counted(STATEFUL_SET), template="a", claims=(f"data-{name}",)
    )


def a_claim(size: int = SIZE) -> Declaration:
    return Declaration(CLAIM, 1, ResourceList({STORAGE: size}), fixed=counted(CLAIM))


@dataclass(slots=True)
class Archives(World):
    """A namespace of StatefulSets and claims. `meddled`: people made, changed or deleted claims by hand."""

    meddled: bool = False

    def create_set(self, name: str, replicas: int) -> bool:
        declaration = a_set(name, replicas)
        return self._ask(Write(replace(self._ref(name, STATEFUL_SET, None), claims=declaration.claims), 0, declaration))

    def create_claim(self, name: str) -> bool:
        self.meddled = True
        return self._ask(Write(self._ref(name, CLAIM, None), 0, a_claim()))

    def expand(self, one: Object) -> bool:
        self.meddled = True
        size = one.declaration.unit[STORAGE] + SIZE
        return self._ask(Write(one.ref, one.version, a_claim(size)))

    def delete_claim(self, one: Object) -> None:
        self.meddled = True
        self._remove(one)

    def reconcile(self, one: Object) -> None:
        """The set's controller makes the next claim that is not there."""
        there = {other.ref.name for other in self._all() if other.ref.kind == CLAIM}
        for number in range(one.declaration.replicas if one.ref.kind == STATEFUL_SET else 0):
            name = f"data-{one.ref.name}-{number}"
            if name not in there:
                self._store(self._ref(name, CLAIM, None), a_claim(), None)
                return

    def relist(self) -> None:
        self._forget()
        self.watching = True
        for kind in (STATEFUL_SET, CLAIM):
            self._list(kind)

    def persisted(self, *, told: bool) -> ResourceList:  # noqa: ARG002  (whatever was told)
        claims = {one.ref.uid: one for one in self._all() if one.ref.kind == CLAIM}
        needs = []
        for one in self._all():
            if one.ref.kind == STATEFUL_SET:
                key = f"data-{one.ref.name}-"
                own = [uid for uid, claim in claims.items() if claim.ref.name.removeprefix(key).isdigit()]
                made = sum_of(claims.pop(uid).declaration.value() for uid in own)
                wished = one.declaration.unit * one.declaration.replicas
                needs.append((wished | made) + one.declaration.fixed)
        return sum_of((*needs, *(one.declaration.value() for one in claims.values())))

    def _store(
        self, ref: ObjectRef, declaration: Declaration, before: Object | None, *, deleting: bool = False
    ) -> None:
        if ref.kind == CLAIM:
            ref = replace(ref, target=claim_key("ct", ref.name))
        World._store(self, ref, declaration, before, deleting=deleting)

    def _tell(self, seen: Observation) -> None:
        if seen.declaration is None:  # a deletion tells nothing of what the object named
            seen = replace(seen, ref=replace(seen.ref, target="", claims=()))
        World._tell(self, seen)


class Life(RuleBasedStateMachine):
    """Who makes sets, their controller, the API server and the watch, one step at a time."""

    world: Archives

    def __init__(self) -> None:
        super().__init__()
        self.world = Archives(self.ledger())

    def ledger(self) -> Ledger:
        return Memory(limits={STORAGE: LIMIT})

    def of(self, kind: str) -> list[Object]:
        return [one for one in self.world.objects.values() if one.ref.kind == kind]

    @rule(name=NAMES, replicas=REPLICAS)
    def a_set_is_created(self, name: str, replicas: int) -> None:
        self.world.create_set(name, replicas)

    @precondition(lambda self: self.of(STATEFUL_SET))
    @rule(pick=PICK, replicas=REPLICAS)
    def a_set_is_scaled(self, pick: int, replicas: int) -> None:
        one = one_of(self.of(STATEFUL_SET), pick)
        self.world.scale(
            replace(one, ref=replace(one.ref, claims=None)) if replicas > one.declaration.replicas else one, replicas
        )

    @precondition(lambda self: self.of(STATEFUL_SET))
    @rule(pick=PICK)
    def a_set_is_deleted(self, pick: int) -> None:
        self.world.delete(one_of(self.of(STATEFUL_SET), pick), orphan=False)

    @precondition(lambda self: self.of(STATEFUL_SET))
    @rule(pick=PICK, steps=st.integers(1, 4))
    def a_controller_works(self, pick: int, steps: int) -> None:
        for step in range(steps):
            self.world.reconcile(one_of(self.of(STATEFUL_SET), pick + step))

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
        # Of what people do to the claims of a set, and what the set then makes unasked, only the watch tells.
        if not self.world.meddled:
            assert self.world.persisted(told=False)[STORAGE] <= self.world.ledger.charged()[STORAGE]

    @invariant()
    def nothing_else_is_charged_once_all_is_quiet(self) -> None:
        if self.world.is_quiet():
            assert self.world.ledger.charged() == self.world.persisted(told=True)

    @invariant()
    def every_total_is_what_the_charges_add_up_to(self) -> None:
        assert self.world.ledger.is_sound()


class Hands(Life):
    """With people who make, change and delete claims by hand."""

    @rule(name=NAMES, number=st.integers(0, 4), odd=st.booleans())
    def a_person_makes_a_claim(self, name: str, number: int, odd: bool) -> None:
        self.world.create_claim(f"data-{name}" if odd else f"data-{name}-{number}")

    @precondition(lambda self: self.of(CLAIM))
    @rule(pick=PICK)
    def a_person_deletes_a_claim(self, pick: int) -> None:
        self.world.delete_claim(one_of(self.of(CLAIM), pick))

    @precondition(lambda self: self.of(CLAIM))
    @rule(pick=PICK)
    def a_person_makes_a_claim_larger(self, pick: int) -> None:
        self.world.expand(one_of(self.of(CLAIM), pick))


class StoredLife(Hands):
    """The same life on a database."""

    engine: Engine

    def ledger(self) -> Ledger:
        with self.engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        limit(self.engine, Limit(found(self.engine).ct, STORAGE, LIMIT))
        return Stored(self.engine)


@pytest.mark.parametrize("life", [Life, Hands])
def test_what_exists_is_charged_once(life: type[Life]) -> None:
    run_state_machine_as_test(life, settings=THOROUGH)


def test_it_is_on_a_database_too(tmp_path: Path) -> None:
    engine = make_engine(Database(url=f"sqlite:///{tmp_path}/ledger.db"))
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    metadata.create_all(engine)
    StoredLife.engine = engine
    try:
        run_state_machine_as_test(StoredLife, settings=settings(QUICK, max_examples=25, stateful_step_count=30))
    finally:
        engine.dispose()
