"""The ledger as the machine sees it: in memory, where the plans are all there is, and in a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid4

from sqlalchemy import Engine, update

from governance.db.session import reading, transaction
from governance.quota import propose as proposing
from governance.quota import settle as settling
from governance.quota.ledger import Reservation, reserve
from governance.quota.limits import move
from governance.quota.model import (
    AUTOSCALER,
    LIVE,
    BindingState,
    ChargeState,
    Declaration,
    Known,
    ObjectState,
    UsageRow,
    walk,
)
from governance.quota.observe import observe, observe_list
from governance.quota.plan import ObjectRef, Observation, Plan
from governance.quota.settle import version_number
from governance.quota.tables import Binding
from governance.quota.totals import derive, differences
from governance.quota.write import Reserved, UsageKey
from governance.units import ResourceList, sum_of
from tests.quota import hospital

PATH = ("ct", "radiology", "hospital")
PARENTS = {"ct": "radiology", "radiology": "hospital", "hospital": None}


class Ledger(Protocol):
    """What the machine needs of a ledger."""

    def known(self, ref: ObjectRef) -> Known: ...

    def reserve(self, ref: ObjectRef, declaration: Declaration, base: int, now: datetime, deadline: datetime) -> bool:
        """Whether it was admitted."""

    def observe(self, seen: Observation, now: datetime) -> None: ...

    def observe_list(self, kind: str, listed: Sequence[Observation], version: str, now: datetime) -> None: ...

    def charge(self, autoscaling: str, now: datetime) -> None:
        """Policy on autoscalers changes."""

    def charged(self) -> ResourceList:
        """What stands in usage at the project."""

    def is_sound(self) -> bool:
        """Whether every total is what the charges add up to."""


def content_of(ref: ObjectRef, declaration: Declaration) -> str:
    return f"{ref.uid} {declaration.as_document()}"


@dataclass(slots=True)
class Memory:
    """Plans applied to dictionaries."""

    limits: dict[str, int] = field(default_factory=dict)  # of the project
    objects: dict[str, ObjectState] = field(default_factory=dict)
    charges: dict[UUID, ChargeState] = field(default_factory=dict)
    usage: dict[UsageKey, UsageRow] = field(default_factory=dict)
    project: UUID = field(default_factory=uuid4)
    autoscaling: str = "maximum"

    def known(self, ref: ObjectRef) -> Known:
        namespace = BindingState(
            ref.scope, ref.namespace, self.project, exempt=False, path=PATH, autoscaling=self.autoscaling
        )
        return Known(None, namespace, tuple(self.usage.values()), dict(self.objects), dict(self.charges))

    def reserve(self, ref: ObjectRef, declaration: Declaration, base: int, now: datetime, deadline: datetime) -> bool:  # noqa: ARG002
        known = self.known(ref)
        version = str(base) if base else ""
        proposal = proposing.propose(
            known, ref, declaration, base_version=version, content=content_of(ref, declaration), deadline=deadline
        )
        over = any(
            self.usage_of("ct", name).used + rise > self.limits[name]
            for name, rise in proposal.delta.items()
            if name in self.limits
        )
        if not over:
            self._apply(proposal.plan)
        return not over

    def observe(self, seen: Observation, now: datetime) -> None:  # noqa: ARG002
        self._apply(settling.settle(self.known(seen.ref), seen))

    def observe_list(self, kind: str, listed: Sequence[Observation], version: str, now: datetime) -> None:
        present = {one.ref.uid for one in listed}
        absent = [
            Observation(self._ref(one), version, listed_at=now)
            for one in self.objects.values()
            if one.kind == kind and not one.gone and one.uid not in present
            if version_number(one.observed_version) <= version_number(version)
        ]
        for seen in (*listed, *absent):
            self.observe(seen, now)

    def charge(self, autoscaling: str, now: datetime) -> None:  # noqa: ARG002
        self.autoscaling = autoscaling
        for ref in [self._ref(one) for one in self.objects.values() if one.kind == AUTOSCALER]:
            self._apply(settling.realigned(self.known(ref), ref))

    def charged(self) -> ResourceList:
        return ResourceList({resource: row.used for (node, resource), row in self.usage.items() if node == "ct"})

    def is_sound(self) -> bool:
        live = [one for one in self.charges.values() if one.path and one.state in LIVE]
        own = {("ct", name): amount for name, amount in sum_of(one.level for one in live).items()}
        return derive(self.usage.values(), PARENTS, own) == self.usage

    def usage_of(self, node: str, resource: str) -> UsageRow:
        return self.usage.get((node, resource)) or UsageRow(node, resource, len(PATH) - 1 - PATH.index(node))

    def _apply(self, plan: Plan) -> None:
        assert all(self.charges[one.id] == one for one in plan.before)
        for path, delta in plan.deltas().items():
            for one in walk(self.usage.values(), path, delta):
                row = self.usage_of(one.node_id, one.resource)
                self.usage[one.node_id, one.resource] = replace(row, used=one.used_after, drawn=one.drawn)
        self.charges |= {one.id: replace(one, version=one.version + 1) for one in plan.charges}
        self.objects |= {one.uid: one for one in plan.objects}

    @staticmethod
    def _ref(one: ObjectState) -> ObjectRef:
        return ObjectRef("ward", one.namespace, one.name, one.kind, one.uid, one.owner_uid)


@dataclass(frozen=True, slots=True)
class Stored:
    """The real one, on an engine with the hospital in it."""

    engine: Engine

    def known(self, ref: ObjectRef) -> Known:
        return hospital.known(self.engine, ref)

    def reserve(self, ref: ObjectRef, declaration: Declaration, base: int, now: datetime, deadline: datetime) -> bool:
        proposal = proposing.propose(
            self.known(ref),
            ref,
            declaration,
            base_version=str(base) if base else "",
            content=content_of(ref, declaration),
            deadline=deadline,
        )
        return isinstance(reserve(self.engine, Reservation(proposal, now=now)), Reserved)

    def observe(self, seen: Observation, now: datetime) -> None:
        observe(self.engine, seen, now=now)

    def observe_list(self, kind: str, listed: Sequence[Observation], version: str, now: datetime) -> None:
        observe_list(self.engine, "ward", kind, listed, version=version, begun_at=now, now=now)

    def charge(self, autoscaling: str, now: datetime) -> None:
        with transaction(self.engine) as session:
            session.execute(update(Binding).values(autoscaling=autoscaling))
            move(session, now)

    def charged(self) -> ResourceList:
        with reading(self.engine) as session:
            return hospital.charged(session, "ct")

    def is_sound(self) -> bool:
        with reading(self.engine) as session:
            return differences(session) == []
