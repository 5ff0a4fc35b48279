"""A small hospital for the tests of change control, and a denial in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlmodel import Session

from governance.change.model import Asks, Denial, QuotaRow
from governance.identity.tables import Delegation, GroupMember, Node, Person, RoleBinding
from governance.policy.model import Need
from governance.units import ResourceList

NOW = datetime(2026, 11, 23, 10, 44, tzinfo=UTC)
UNTIL = NOW + timedelta(days=7)
GPU = "requests.nvidia.com/gpu"
TARGET = "ward-cluster/apps/deployments/ct/ct-train"

PLATFORM = Need("large-in-production", "platform", 1, 1)
RADIOLOGY = Need("headroom", "approver@radiology", 1, 1)


@dataclass
class Hospital:
    """Ids by name."""

    nodes: dict[str, UUID] = field(default_factory=dict)
    people: dict[str, UUID] = field(default_factory=dict)

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(str(self.nodes[name]) for name in ("ct-training", "radiology", "hospital"))


def open_hospital(session: Session) -> Hospital:
    """hospital > radiology > ct-training; okafor asks, lindqvist is platform, haddad and berg approve for radiology."""
    made = Hospital()
    for depth, (kind, name) in enumerate(
        (("department", "hospital"), ("department", "radiology"), ("project", "ct-training"))
    ):
        parent = list(made.nodes.values())[-1] if made.nodes else None
        node = Node(kind=kind, name=name, title=name.title(), parent_id=parent, depth=depth)
        session.add(node)
        session.flush()
        made.nodes[name] = node.id
    for name in ("okafor", "lindqvist", "haddad", "berg", "admin", "stranger"):
        person = Person(name=name, display_name=f"Dr. {name.title()}", email=f"{name}@hospital.example")
        session.add(person)
        made.people[name] = person.id
    session.flush()
    session.add(GroupMember(group_name="platform", person_id=made.people["lindqvist"]))
    session.add(RoleBinding(person_id=made.people["haddad"], role="approver", node_id=made.nodes["radiology"]))
    session.add(RoleBinding(person_id=made.people["berg"], role="approver", node_id=made.nodes["hospital"]))
    session.add(RoleBinding(person_id=made.people["admin"], role="admin", node_id=made.nodes["hospital"]))
    session.add(GroupMember(group_name="platform", person_id=made.people["admin"]))
    session.flush()
    return made


def delegate(session: Session, hospital: Hospital, person: str, to: str) -> None:
    """`to` acts for `person` for a day around NOW."""
    day = timedelta(days=1)
    row = Delegation(
        person_id=hospital.people[person],
        delegate_id=hospital.people[to],
        valid_from=NOW - day,
        valid_until=NOW + day,
    )
    session.add(row)
    session.flush()


def denial(hospital: Hospital, *, digest: str = "a" * 64, needs: tuple[Need, ...] = (PLATFORM, RADIOLOGY)) -> Denial:
    """Two replicas with one GPU each should become eight; radiology has 10 of 12."""
    radiology = str(hospital.nodes["radiology"])
    return Denial(
        decision_id=uuid4(),
        digest=digest,
        subject="s" * 64,
        target=TARGET,
        actor="okafor",
        actor_id=hospital.people["okafor"],
        project_id=hospital.nodes["ct-training"],
        path=hospital.path,
        asks=Asks(
            what="6 more GPUs in radiology/ct-training",
            before=ResourceList({GPU: 2, "requests.cpu": 2000}),
            after=ResourceList({GPU: 8, "requests.cpu": 8000}),
            quota=(
                QuotaRow(radiology, "Radiology", GPU, 6, 10, 12, rule="radiology-gpus"),
                QuotaRow(radiology, "Radiology", "requests.cpu", 6000, 41000, 120000, rule="radiology-cpu"),
                QuotaRow(str(hospital.nodes["hospital"]), "Hospital", GPU, 6, 30, None),
            ),
            denied_because=("requests.nvidia.com/gpu: requested 6, used 10, limit 12 of radiology",),
        ),
        approvals=needs,
        violations=("headroom", "approval"),
        askable=True,
    )


def less(one: Denial, **values: object) -> Denial:
    """The same denial with other values."""
    return replace(one, **values)  # type: ignore[arg-type]  # field names are the test's
