"""Departments, projects, people and groups become rows. Rows that decisions point at are retired, never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlmodel import Session, col, select

from governance.configuration.references import ancestors
from governance.configuration.specs import Autoscaling, Department, Group, Project
from governance.configuration.specs import Person as PersonSpec
from governance.configuration.writing import Writing, node_ids
from governance.db.base import Table
from governance.identity.tables import Delegation, GroupMember, Node, Person, PersonIdentity, RoleBinding

_ROOT_CURRENCY = "EUR"

Key = TypeVar("Key")


def write(writing: Writing) -> None:
    """Make the tree, the people and the groups as wanted."""
    _write_nodes(writing)
    people = _write_people(writing)
    _write_owners(writing, people)
    _write_identities(writing, people)
    _write_delegations(writing, people)
    nodes = node_ids(writing.session)
    roles = {
        (people[name], str(held.role), nodes[held.at])
        for name, person in writing.wanted.specs(PersonSpec).items()
        for held in person.roles
    }
    bound = {(one.person_id, one.role, one.node_id): one for one in writing.session.exec(select(RoleBinding))}
    _drop(writing.session, bound, roles)
    writing.session.add_all(
        RoleBinding(person_id=person, role=role, node_id=node) for person, role, node in roles - bound.keys()
    )
    members = {
        (name, people[member]) for name, group in writing.wanted.specs(Group).items() for member in group.members
    }
    present = {(one.group_name, one.person_id): one for one in writing.session.exec(select(GroupMember))}
    _drop(writing.session, present, members)
    writing.session.add_all(GroupMember(group_name=group, person_id=one) for group, one in members - present.keys())
    writing.session.flush()


def _write_nodes(writing: Writing) -> None:
    session, departments = writing.session, writing.wanted.specs(Department)
    rows = {(one.kind, one.name): one for one in session.exec(select(Node))}
    wanted: set[tuple[str, str]] = set()
    for name in sorted(departments, key=lambda one: len(ancestors(departments, one))):
        department, above = departments[name], ancestors(departments, name)
        row = _node(session, rows, "department", name)
        row.title, row.depth = department.title, len(above) - 1
        row.parent_id = rows["department", department.parent].id if department.parent else None
        row.currency = next(
            (departments[one].currency or "" for one in above if departments[one].currency), _ROOT_CURRENCY
        )
        row.cost_centre, row.legal_entity = department.cost_centre, department.legal_entity
        row.autoscaling = _nearest(departments[one].autoscaling for one in above)
        session.flush()  # a child's parent_id points at a row that must be there
        wanted.add(("department", name))
    for name, project in writing.wanted.specs(Project).items():
        row, parent = _node(session, rows, "project", name), rows["department", project.department]
        row.title, row.depth, row.parent_id = project.title or name, parent.depth + 1, parent.id
        row.environment, row.labels, row.currency = project.environment, project.labels, parent.currency
        row.autoscaling = project.autoscaling.charge if project.autoscaling else parent.autoscaling
        wanted.add(("project", name))
    for key, row in rows.items():
        if key not in wanted and row.retired_at is None:
            row.retired_at = writing.now
            session.add(row)
    session.flush()


def _nearest(settings: Iterable[Autoscaling | None]) -> str:
    return next((one.charge for one in settings if one), "current")


def _node(session: Session, rows: dict[tuple[str, str], Node], kind: str, name: str) -> Node:
    row = rows.setdefault((kind, name), Node(kind=kind, name=name, title=name))
    row.retired_at = None  # a name that comes back means the node that it meant before
    session.add(row)
    return row


def _write_people(writing: Writing) -> dict[str, UUID]:
    session, wanted = writing.session, writing.wanted.specs(PersonSpec)
    rows = {one.name: one for one in session.exec(select(Person))}
    for name, person in wanted.items():
        row = rows.setdefault(name, Person(name=name, display_name=name, email=person.email))
        row.display_name, row.email, row.time_zone = person.display_name, person.email, person.time_zone
        session.add(row)
    for name, row in rows.items():
        row.active = name in wanted
        session.add(row)
    session.flush()
    return {name: rows[name].id for name in wanted}


def _write_owners(writing: Writing, people: dict[str, UUID]) -> None:
    departments, projects = writing.wanted.specs(Department), writing.wanted.specs(Project)
    for row in writing.session.exec(select(Node).where(col(Node.retired_at).is_(None))):
        owner = (projects if row.kind == "project" else departments)[row.name].owner
        row.owner_id = people[owner] if owner else None
        writing.session.add(row)


def _write_identities(writing: Writing, people: dict[str, UUID]) -> None:
    wanted = {
        (provider, subject, people[name])
        for name, person in writing.wanted.specs(PersonSpec).items()
        for provider, subjects in person.identities.by_provider().items()
        for subject in subjects
    }
    rows = writing.session.exec(select(PersonIdentity))
    present = {(one.provider, one.subject, one.person_id): one for one in rows}
    _drop(writing.session, present, wanted)
    writing.session.add_all(
        PersonIdentity(provider=provider, subject=subject, person_id=person)
        for provider, subject, person in wanted - present.keys()
    )
    writing.session.flush()


def _write_delegations(writing: Writing, people: dict[str, UUID]) -> None:
    wanted = {
        (people[name], people[one.person], datetime.fromisoformat(one.since), datetime.fromisoformat(one.until))
        for name, person in writing.wanted.specs(PersonSpec).items()
        for one in person.delegates
    }
    rows = writing.session.exec(select(Delegation))
    present = {(one.person_id, one.delegate_id, one.valid_from, one.valid_until): one for one in rows}
    _drop(writing.session, present, wanted)
    writing.session.add_all(
        Delegation(person_id=person, delegate_id=delegate, valid_from=since, valid_until=until)
        for person, delegate, since, until in wanted - present.keys()
    )
    writing.session.flush()


def _drop(session: Session, present: Mapping[Key, Table], wanted: set[Key]) -> None:
    """Delete the rows that are not wanted, before others take their keys."""
    for key, row in present.items():
        if key not in wanted:
            session.delete(row)
    session.flush()
