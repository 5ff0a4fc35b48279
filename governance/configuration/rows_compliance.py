"""Attestors, and what nodes require, become rows of compliance."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import select

from governance.compliance.tables import Attestor as AttestorRow
from governance.compliance.tables import CheckpointRequirement
from governance.configuration.model import Manifests, Problem
from governance.configuration.references import known
from governance.configuration.specs import Department, Person, Project
from governance.configuration.specs_compliance import Attestor
from governance.configuration.writing import Writing, node_ids
from governance.identity.tables import Person as PersonRow

_DAY_S = 24 * 60 * 60


def check(manifests: Manifests) -> Iterator[Problem]:
    """An attestor's owner is there, and whatever is required can be attested by somebody."""
    attested = {name for one in manifests.specs(Attestor).values() for name in one.types}
    for manifest, attestor in manifests.of(Attestor).values():
        yield from known(manifest, ("owner",), attestor.owner, manifests.specs(Person), "person")
    for manifest, node in (*manifests.of(Department).values(), *manifests.of(Project).values()):
        for position, required in enumerate(node.required_checkpoints):
            if required.type not in attested:
                path = ("requiredCheckpoints", position, "type")
                remedy = "Describe an Attestor that lists it, or nothing could run."
                yield manifest.problem(path, f"Nobody may attest {required.type}.", remedy)


def write(writing: Writing) -> None:
    """Make attestors and requirements as wanted."""
    _write_attestors(writing)
    _write_requirements(writing)
    writing.session.flush()


def _write_attestors(writing: Writing) -> None:
    session, attestors = writing.session, writing.wanted.specs(Attestor)
    people = dict(session.exec(select(PersonRow.name, PersonRow.id)).all())
    rows = {(one.name, one.type): one for one in session.exec(select(AttestorRow))}
    wanted = {(name, type_): one for name, one in attestors.items() for type_ in one.types}
    for (name, type_), attestor in wanted.items():
        row = rows.get((name, type_)) or AttestorRow(name=name, type=type_, public_key="")
        row.public_key = attestor.public_key
        row.owner_id = people[attestor.owner] if attestor.owner else None
        session.add(row)
    for key in rows.keys() - wanted.keys():
        session.delete(rows[key])


def _write_requirements(writing: Writing) -> None:
    session, nodes = writing.session, node_ids(writing.session)
    required = {
        (nodes[name], one.type): one.max_age_days
        for name, node in (*writing.wanted.specs(Department).items(), *writing.wanted.specs(Project).items())
        for one in node.required_checkpoints
    }
    rows = {(one.node_id, one.type): one for one in session.exec(select(CheckpointRequirement))}
    for (node, type_), days in required.items():
        row = rows.get((node, type_)) or CheckpointRequirement(node_id=node, type=type_)
        row.age_max_s = None if days is None else days * _DAY_S
        session.add(row)
    for key in rows.keys() - required.keys():
        session.delete(rows[key])
