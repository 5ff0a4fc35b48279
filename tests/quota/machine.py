"""The life of a namespace: API server, controllers, users and watch, and the ledger that follows them.

What is simulated is what Kubernetes was seen to do (LEDGER.md): writes are admitted before they persist and may be
lost after, by conflict or for no reason; events are in order, but late, repeated, or lost until the next LIST. Pods may
take more than their template says: a sidecar is put into them as they are made, or they are resized in place. Policy
charges what autoscalers may set, or what they set, and may change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from governance.quota.model import AUTOSCALER, Declaration, ObjectState, joint_need, name_key
from governance.quota.plan import ObjectRef, Observation
from governance.quota.propose import scaled
from governance.units import ResourceList, sum_of
from tests.quota.hospital import DEPLOYMENT, NOW, POD, REPLICASET
from tests.quota.ledgers import Ledger

KINDS = (DEPLOYMENT, REPLICASET, POD, AUTOSCALER)  # owners first, as the watch lists them
_TIMEOUT = timedelta(seconds=90)
_NOBODY = UUID(int=0)


def pods(kind: str, replicas: int, template: str, *, surge: int = 0) -> Declaration:
    """Templates are named after their size: pods of `b` take two cores, those of `a` one."""
    unit = ResourceList({"requests.cpu": 1000 * (1 + ord(template) - ord("a"))})
    fixed = ResourceList({f"count/{kind.split('/')[1]}": 1})
    return Declaration(kind, replicas, unit, surge=surge, fixed=fixed, template=template)


def up_to(maximum: int, target: str) -> Declaration:
    """An autoscaler of a Deployment."""
    fixed = ResourceList({"count/horizontalpodautoscalers.autoscaling": 1})
    key = name_key(DEPLOYMENT, "ct", target)
    return Declaration(AUTOSCALER, 0, ResourceList(), fixed=fixed, target=key, maximum=maximum)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as etcd has it."""

    ref: ObjectRef
    version: int
    declaration: Declaration
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was admitted and is under way: it persists if the object still has the version that it names."""

    ref: ObjectRef
    base: int  # 0: CREATE
    declaration: Declaration
    scale_to: int | None = None


@dataclass(slots=True)
class World:
    """A project's namespace on one cluster. Every method is something that can happen."""

    ledger: Ledger
    objects: dict[str, Stored] = field(default_factory=dict)
    graves: dict[str, ObjectRef] = field(default_factory=dict)
    told: dict[str, Observation] = field(default_factory=dict)  # the last of each object that is there
    taken_away: set[str] = field(default_factory=set)  # pods of which somebody asked to remove the owner
    autoscaling: str = "maximum"  # what policy charges
    sidecar: int = 0  # millicores that are put into each pod that a controller makes
    let_go: dict[str, str] = field(default_factory=dict)  # by whom: what an orphaning delete left behind
    writes: list[Write] = field(default_factory=list)
    unsure: bool = False  # a write was lost, or may be, without an event that says so
    queue: list[Observation] = field(default_factory=list)  # not delivered yet
    delivered: list[Observation] = field(default_factory=list)
    watching: bool = True
    now: datetime = NOW
    version: int = 0
    numbers: Iterator[int] = field(default_factory=count)

    # What users ask for; each answers whether it was admitted.

    def create(self, name: str, kind: str, replicas: int, template: str, owner: str | None = None) -> bool:
        surge = 1 if kind == DEPLOYMENT else 0
        replicas = 1 if kind == POD else replicas
        ref = self._ref(name, kind, owner)
        return self._ask(Write(ref, 0, pods(kind, replicas, template, surge=surge)))

    def update(self, one: Stored, replicas: int, template: str) -> bool:
        """A Deployment is given more replicas, or another template. What does not rise is not asked about."""
        after = replace(pods(one.ref.kind, replicas, template, surge=1), rolling=False)
        if after.template == one.declaration.template and replicas <= one.declaration.replicas:
            self._store(one.ref, replace(one.declaration, replicas=replicas), one)
            return True
        return self._ask(Write(one.ref, one.version, after))

    def scale(self, one: Stored, replicas: int) -> bool:
        """A Scale carries no template: the ledger, if it knows the object, says what it takes."""
        if replicas <= one.declaration.replicas:
            self._store(one.ref, replace(one.declaration, replicas=replicas), one)
            return True
        return self._ask(Write(one.ref, one.version, one.declaration, scale_to=replicas))

    def autoscale(self, name: str, target: str, maximum: int) -> bool:
        """An autoscaler is made, for a Deployment that may be there or not."""
        declaration = up_to(maximum, target)
        ref = replace(self._ref(name, AUTOSCALER, None), target=declaration.target)
        return self._ask(Write(ref, 0, declaration))

    def change_autoscaler(self, one: Stored, target: str, maximum: int) -> bool:
        """It may set more, or less, or scale another Deployment."""
        after = up_to(maximum, target)
        if after.target == one.declaration.target and maximum <= one.declaration.maximum:
            self._store(one.ref, after, one)
            return True
        return self._ask(Write(replace(one.ref, target=after.target), one.version, after))

    def charge(self, autoscaling: str) -> None:
        """Policy says from now on that the maximum of autoscalers is charged, or what they set."""
        self.autoscaling = autoscaling
        self.ledger.charge(autoscaling, self.now)

    def take_from_owner(self, pod: Stored) -> bool:
        """A user removes a pod's controllerRef; its controller will make another."""
        self.taken_away.add(pod.ref.uid)
        return self._ask(Write(replace(pod.ref, owner_uid=None), pod.version, pod.declaration))

    def resize(self, pod: Stored, millicores: int) -> bool:
        """A user gives a running pod more, or takes some."""
        after = replace(pod.declaration, unit=ResourceList({"requests.cpu": millicores}))
        if after.unit <= pod.declaration.unit:
            self._store(pod.ref, after, pod)
            return True
        return self._ask(Write(pod.ref, pod.version, after))

    def delete(self, one: Stored, *, orphan: bool) -> None:
        """In the background, or first its dependents are let go."""
        if orphan:
            self._store(one.ref, one.declaration, one, deleting=True)
            for child in self.children(one.ref.uid):
                self.let_go[child.ref.uid] = one.ref.uid
                self._store(replace(child.ref, owner_uid=None), child.declaration, child)
            one = self.objects[one.ref.uid]
        self._remove(one)

    # What becomes of what was admitted.

    def persist(self, write: Write) -> None:
        """The API server stores it; where the object has changed meanwhile it runs admission again, on the new one."""
        self.writes.remove(write)
        current = self.objects.get(write.ref.uid)
        if not write.base:
            taken = any((one.ref.kind, one.ref.name) == (write.ref.kind, write.ref.name) for one in self._all())
            if taken:
                self.unsure = True
                return
        elif current is None:
            self.unsure = True
            return
        elif current.version != write.base:
            again = replace(write, base=current.version)
            self.unsure |= not self._ask(
                again if write.scale_to is None else replace(again, declaration=current.declaration)
            )
            return
        if current is None:
            self._store(write.ref, replace(write.declaration, rolling=False), None)
        elif write.scale_to is not None:
            self._store(current.ref, replace(current.declaration, replicas=write.scale_to), current)
        else:
            rolls = current.declaration.rolling or current.declaration.template != write.declaration.template
            self._store(write.ref, replace(write.declaration, rolling=rolls), current)

    def lose(self, write: Write) -> None:
        """The client is gone, or another webhook refuses."""
        self.writes.remove(write)
        self.unsure = True

    def repeat(self, write: Write) -> None:
        """The API server asks once more about the same write, under another review."""
        self._ask(write, again=True)

    # What controllers do; by default their writes do not come to the webhook.

    def reconcile(self, one: Stored) -> None:
        """The next step of a Deployment's or ReplicaSet's controller."""
        if one.deleting:
            return
        if one.ref.kind == DEPLOYMENT:
            self._reconcile_deployment(one)
        elif one.ref.kind == REPLICASET:
            mine = self.children(one.ref.uid)
            if len(mine) > one.declaration.replicas:
                self._remove(mine[0])
            elif len(mine) < one.declaration.replicas:
                ref = self._ref(f"{one.ref.name}-{next(self.numbers)}", POD, one.ref.uid)
                pod = pods(POD, 1, one.declaration.template)
                sidecar = ResourceList({"requests.cpu": self.sidecar})
                self._store(ref, replace(pod, unit=pod.unit + sidecar), None)

    def collect_garbage(self) -> None:
        for one in self._garbage():
            self._remove(one)

    def _reconcile_deployment(self, one: Stored) -> None:
        wanted = one.declaration
        mine = [child for child in self.children(one.ref.uid) if child.ref.kind == REPLICASET]
        for stray in self._all():
            if stray.ref.kind == REPLICASET and not stray.ref.owner_uid and stray.ref.name.startswith(one.ref.name):
                self.let_go.pop(stray.ref.uid, None)
                self._store(replace(stray.ref, owner_uid=one.ref.uid), stray.declaration, stray)
                return
        new = next((child for child in mine if child.declaration.template == wanted.template), None)
        old = [child for child in mine if child is not new]
        if new is None:
            ref = self._ref(f"{one.ref.name}-{wanted.template}{next(self.numbers)}", REPLICASET, one.ref.uid)
            self._store(ref, pods(REPLICASET, 0, wanted.template), None)
            return
        running = sum(max(len(self.children(child.ref.uid)), child.declaration.replicas) for child in old)
        room = wanted.replicas + (wanted.surge if wanted.rolling else 0) - running
        replicas = max(0, min(wanted.replicas, room))
        if replicas > new.declaration.replicas or wanted.replicas < new.declaration.replicas:
            self._store(new.ref, replace(new.declaration, replicas=min(wanted.replicas, replicas)), new)
        elif shrinking := next((child for child in old if child.declaration.replicas), None):
            less = replace(shrinking.declaration, replicas=shrinking.declaration.replicas - 1)
            self._store(shrinking.ref, less, shrinking)
        elif old:
            empty = next((child for child in old if not self.children(child.ref.uid)), None)
            if empty is not None:
                self._remove(empty)
        elif wanted.rolling:
            self._store(one.ref, replace(wanted, rolling=False), one)

    # What the watch brings.

    def deliver(self) -> None:
        """The next event."""
        seen = self.queue.pop(0)
        self.ledger.observe(seen, self.now)
        self.told[seen.ref.uid] = seen
        self.delivered.append(seen)

    def deliver_again(self, seen: Observation) -> None:
        """An event that came before."""
        self.ledger.observe(seen, self.now)

    def break_off(self) -> None:
        """The watch is lost with all that it had not told."""
        self._forget()
        self.watching = False

    def relist(self) -> None:
        """Everything is listed, at one moment; after that the watch goes on."""
        self._forget()
        self.watching = True
        for kind in KINDS:
            self._list(kind)

    def time_passes(self) -> None:
        """Longer than any request may take; then a quorum LIST rules on what no event has."""
        self.now += _TIMEOUT + timedelta(seconds=31)
        self.writes.clear()
        self.relist()
        self.unsure = False

    def come_to_rest(self) -> None:
        """Nobody asks for anything; what is under way persists, controllers finish, and everything is told."""
        if not self.watching:
            self.relist()
        for write in list(self.writes):
            self.persist(write)
        while True:
            before = self.version
            self.collect_garbage()
            for one in self._all():
                if one.ref.uid in self.objects:
                    self.reconcile(self.objects[one.ref.uid])
            while self.queue:
                self.deliver()
            if self.version == before:
                break

    # What is true.

    def children(self, uid: str) -> list[Stored]:
        return [one for one in self._all() if one.ref.owner_uid == uid]

    def persisted(self, *, told: bool) -> ResourceList:
        """What exists takes: of objects of one name, living or gone, what they need together.

        Args:
            told: everything was; else what an orphaning delete left behind still belongs to whoever left it, and of
                what a pod takes beyond its template only what was told counts, for nobody asked for it.
        """
        owners = {} if told else self.let_go
        refs = self.graves | {one.ref.uid: one.ref for one in self._all()}
        refs = {uid: replace(ref, owner_uid=ref.owner_uid or owners.get(uid)) for uid, ref in refs.items()}
        names: dict[tuple[str, str], list[ObjectState]] = {}
        for ref in refs.values():
            if ref.owner_uid not in refs:
                names.setdefault((ref.kind, ref.name), []).append(self._state(ref, refs, told=told))
        return sum_of(joint_need(incarnations) for incarnations in names.values())

    def is_quiet(self) -> bool:
        """Nothing is under way, and everything was told."""
        under_way = self.writes or self.queue or self.unsure or self._garbage()
        rolling = any(one.declaration.rolling or one.deleting for one in self._all())
        return self.watching and not under_way and not rolling

    def _state(self, ref: ObjectRef, refs: Mapping[str, ObjectRef], *, told: bool) -> ObjectState:
        one = self.objects.get(ref.uid)
        below = [self._state(child, refs, told=told) for child in refs.values() if child.owner_uid == ref.uid]
        observed = self._running(one, told=told) if one and not one.deleting else None
        return ObjectState(
            _NOBODY,
            _NOBODY,
            ref.uid,
            ref.kind,
            ref.namespace,
            ref.name,
            observed=observed,
            children=sum_of(child.need() for child in below),
        )

    def _running(self, one: Stored, *, told: bool) -> Declaration:
        """What an object declares, with the unit that its pods are known to have."""
        if one.ref.kind != POD:
            unit = one.declaration.unit | self._largest(one, told=told)
            return replace(one.declaration, unit=unit, replicas=max(one.declaration.replicas, self._maximum(one)))
        if told or one.ref.uid in self.told:
            return one.declaration
        return pods(POD, 1, one.declaration.template)

    def _maximum(self, one: Stored) -> int:
        """To how many replicas autoscalers may scale it, if policy charges that."""
        autoscalers = [other.declaration for other in self._all() if other.declaration.target == one.ref.name_key]
        return max((other.maximum for other in autoscalers if self.autoscaling == "maximum"), default=0)

    def _largest(self, one: Stored, *, told: bool) -> ResourceList:
        """The largest of the pods that run with the template of a Deployment or ReplicaSet."""
        largest = ResourceList()
        for child in self.children(one.ref.uid):
            seen = self.told.get(child.ref.uid)
            known = seen is not None and seen.ref.owner_uid == one.ref.uid and child.ref.uid not in self.taken_away
            if not (told or known):
                continue
            if child.ref.kind == POD:
                largest |= self._running(child, told=told).unit
            elif one.declaration.rolling or child.declaration.template == one.declaration.template:
                largest |= self._largest(child, told=told)
        return largest

    def _ask(self, write: Write, *, again: bool = False) -> bool:
        declaration = write.declaration
        if write.scale_to is not None:
            declaration = self._scaled(write, write.scale_to)
        admitted = self.ledger.reserve(write.ref, declaration, write.base, self.now, self.now + _TIMEOUT)
        if admitted and not again:
            self.writes.append(write)
        return admitted

    def _scaled(self, write: Write, replicas: int) -> Declaration:
        """As the ledger knows the object, if that is the version in hand or a write of it is pending; else as it is."""
        known = self.ledger.known(write.ref)
        state = known.objects.get(write.ref.uid)
        if state is not None and (state.observed_version == str(write.base) or state.pendings):
            derived = scaled(known, write.ref.uid, replicas)
            if derived is not None:
                return derived
        return replace(write.declaration, replicas=replicas)

    def _ref(self, name: str, kind: str, owner: str | None) -> ObjectRef:
        return ObjectRef("ward", "ct", name, kind, f"uid-{next(self.numbers)}", owner)

    def _all(self) -> list[Stored]:
        return list(self.objects.values())

    def _garbage(self) -> list[Stored]:
        return [one for one in self._all() if one.ref.owner_uid in self.graves]

    def _store(
        self, ref: ObjectRef, declaration: Declaration, before: Stored | None, *, deleting: bool = False
    ) -> None:
        self.version += 1
        stored = Stored(ref, self.version, declaration, deleting or bool(before and before.deleting))
        self.objects[ref.uid] = stored
        self._tell(_seen(stored))

    def _remove(self, one: Stored) -> None:
        self.version += 1
        del self.objects[one.ref.uid]
        self.graves[one.ref.uid] = one.ref
        self._tell(Observation(one.ref, str(self.version)))

    def _tell(self, seen: Observation) -> None:
        self.queue.append(seen)
        if not self.watching:
            self._forget()

    def _forget(self) -> None:
        """What is not told. An object that came and went meanwhile is missed only once its time is over."""
        self.unsure |= any(seen.declaration is None for seen in self.queue)
        self.queue.clear()

    def _list(self, kind: str) -> None:
        listed = [replace(_seen(one), listed_at=self.now) for one in self._all() if one.ref.kind == kind]
        self.told |= {seen.ref.uid: seen for seen in listed}
        self.ledger.observe_list(kind, listed, str(self.version), self.now)


def _seen(stored: Stored) -> Observation:
    return Observation(stored.ref, str(stored.version), stored.declaration, deleting=stored.deleting)
