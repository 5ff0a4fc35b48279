from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, func, select, update
from sqlmodel import Session, col

from governance import clock
from governance.admission.admit import admit
from governance.admission.asking import decision_of, denial_of
from governance.admission.judge import Admission
from governance.admission.model import Decision, Request
from governance.admission.tables import DecisionRow
from governance.change import decide as changes
from governance.change.model import AS_ASKED, Terms
from governance.change.submit import submit
from governance.db.session import reading, transaction
from governance.identity.tables import Node, Person
from governance.policy.embedded import Embedded
from governance.policy.factory import make_policy_engine
from governance.quota.model import Declaration
from governance.quota.tables import Scope, Usage
from governance.settings import Policy
from governance.units import ResourceList
from tests.configuration.manifests import apply_example
from tests.databases import begin

CLUSTER = "imaging-onprem-1"
GPU = "requests.nvidia.com/gpu"


@dataclass(slots=True)
class Hospital:
    """The example hospital with a door into it."""

    engine: Engine
    admission: Admission
    live: dict[str, Declaration]

    def ask(self, request: Request) -> Decision:
        return admit(self.admission, request)

    def used(self, node: str, resource: str) -> int:
        with reading(self.engine) as session:
            statement = (
                select(col(Usage.used))
                .join(Node, col(Node.id) == col(Usage.node_id))
                .where(col(Node.name) == node, col(Usage.resource) == resource)
            )
            return session.scalar(statement) or 0

    def rows(self, outcome: str) -> list[DecisionRow]:
        with reading(self.engine) as session:
            return list(session.scalars(select(DecisionRow).where(col(DecisionRow.outcome) == outcome)))

    def count(self, table: type[Any]) -> int:
        with reading(self.engine) as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def switch(self, mode: str, **values: Any) -> None:  # noqa: ANN401
        with transaction(self.engine) as session:
            set_mode(session, mode, **values)


def set_mode(session: Session, mode: str, **values: Any) -> None:  # noqa: ANN401
    session.connection().execute(update(Scope).values(mode=mode, **values))


@pytest.fixture(scope="session")
def policy() -> Embedded:
    engine = make_policy_engine(Policy())
    assert isinstance(engine, Embedded)
    return engine


@pytest.fixture
def hospital(engine: Engine, policy: Embedded) -> Hospital:
    begin(engine, apply_example)
    live: dict[str, Declaration] = {}
    admission = Admission(engine, policy, "https://governance.example", lambda request, _: live.get(request.object_uid))
    made = Hospital(engine, admission, live)
    made.switch("enforce")
    return made


def training(replicas: int, *, gpus: int = 1, template: str = "t1") -> Declaration:
    """A Deployment of pods with one core and some GPUs each."""
    unit = ResourceList({"requests.cpu": 1000, "requests.memory": 2**30, "pods": 1, GPU: gpus})
    return Declaration(
        "apps/deployments", replicas, unit, fixed=ResourceList({"count/deployments.apps": 1}), template=template
    )


def create(declaration: Declaration, name: str = "ct-train", **changes: Any) -> Request:  # noqa: ANN401
    """The wish to create a Deployment in ct-training."""
    made = Request(
        door="kubernetes",
        provider="kubernetes",
        scope=CLUSTER,
        uid=str(uuid4()),
        actor="okafor",
        groups=(),
        operation="CREATE",
        kind="apps/deployments",
        subresource="",
        namespace="ct-training",
        name=name,
        object_uid=str(uuid4()),
        resource_version="",
        owner=None,
        declaration=declaration,
        declaration_before=None,
        changes={"spec.replicas": declaration.replicas},
    )
    return replace(made, **changes)


def scale(of: Request, replicas: int, **changes: Any) -> Request:  # noqa: ANN401
    """The wish to scale what another request created."""
    replicas_before = of.declaration.replicas if of.declaration else 0
    values: Mapping[str, Any] = {
        "uid": str(uuid4()),
        "operation": "UPDATE",
        "subresource": "scale",
        "resource_version": "1",
        "declaration": None,
        "scale_to": replicas,
        "scale_from": replicas_before,
        "changes": {"spec.replicas": replicas},
        "changes_before": {"spec.replicas": replicas_before},
        **changes,
    }
    return replace(of, **values)


def person(hospital: Hospital, name: str) -> Any:  # noqa: ANN401
    with reading(hospital.engine) as session:
        return session.scalars(select(Person).where(col(Person.name) == name)).one()


def approve(hospital: Hospital, denied: Decision, terms: Terms = AS_ASKED) -> None:
    now = clock.now()
    with transaction(hospital.engine) as session:
        denial = denial_of(session, decision_of(session, denied.id))
        okafor, lindqvist = person(hospital, "okafor").id, person(hospital, "lindqvist").id
        change = submit(
            session, denial, okafor, "Backlog of CT studies.", "INC-22719", None, now + timedelta(days=7), now
        )
        changes.decide(session, change.id, lindqvist, "approve", "", terms, change.version, now)
