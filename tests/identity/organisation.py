"""A small hospital for tests: clinic > radiology > project ct-training, beside radiology the laboratory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, event
from sqlmodel import select

from governance.db.base import metadata
from governance.db.session import reading, transaction
from governance.identity.tables import GroupMember, Node, Person, PersonIdentity, RoleBinding
from tests.databases import begin


@dataclass(frozen=True, slots=True)
class Hospital:
    """Its database, nodes by name and people by name."""

    engine: Engine
    nodes: dict[str, Node]
    people: dict[str, Person]


def build(engine: Engine) -> Hospital:
    """The hospital, in an empty database."""
    begin(engine, _write)
    with reading(engine) as session:
        nodes, people = session.exec(select(Node)).all(), session.exec(select(Person)).all()
        session.expunge_all()
    return Hospital(engine, {one.name: one for one in nodes}, {one.name: one for one in people})


def _write(engine: Engine) -> None:
    metadata.create_all(engine)
    clinic = Node(kind="department", name="clinic", title="Clinic")
    radiology = Node(kind="department", name="radiology", title="Radiology", parent_id=clinic.id, depth=1)
    laboratory = Node(kind="department", name="laboratory", title="Laboratory", parent_id=clinic.id, depth=1)
    training = Node(kind="project", name="ct-training", title="CT training", parent_id=radiology.id, depth=2)
    nodes = {node.name: node for node in (clinic, radiology, laboratory, training)}
    names = {"okafor": "Dr. Okafor", "lindqvist": "M. Lindqvist", "haddad": "Prof. Haddad", "sato": "K. Sato"}
    people = {name: Person(name=name, display_name=shown, email=f"{name}@x.org") for name, shown in names.items()}
    roles = [("okafor", "requester", training), ("haddad", "approver", clinic), ("lindqvist", "approver", radiology)]
    with transaction(engine) as session:
        for node in nodes.values():
            session.add(node)
            session.flush()
        session.add_all(people.values())
        session.flush()
        for name, role, node in [*roles, ("sato", "admin", clinic)]:
            session.add(RoleBinding(person_id=people[name].id, role=role, node_id=node.id))
        session.add(GroupMember(group_name="platform", person_id=people["lindqvist"].id))
        for name, person in people.items():
            session.add(PersonIdentity(provider="oidc", subject=f"{name}@x.org", person_id=person.id))
            session.add(PersonIdentity(provider="kubernetes", subject=name, person_id=person.id))


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """What is sent to the database within the block, but for the transaction's own words."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
