"""Attestors and required checkpoints become rows of the compliance room."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import select

from governance.compliance.tables import Attestor as AttestorRow
from governance.compliance.tables import CheckpointRule
from governance.configuration.model import Manifests, Problem
from governance.configuration.references import known
from governance.configuration.specs import Department
from governance.configuration.specs_compliance import Attestor, RequiredCheckpoint
from governance.configuration.writing import Writing, node_ids


def check(manifests: Manifests) -> Iterator[Problem]:
    """Every requirement stands at a department, and can be met: somebody may attest it. No key has two names."""
    departments, attestors = manifests.specs(Department), manifests.of(Attestor)
    attested = {type_ for _, one in attestors.values() for type_ in one.types}
    for manifest, required in manifests.of(RequiredCheckpoint).values():
        yield from known(manifest, ("at",), required.at, departments, "department")
        for position, type_ in enumerate(required.types):
            if type_ not in attested:
                detail = f"Nobody may attest {type_}, so nothing could ever be admitted."
                yield manifest.problem(("types", position), detail, "Add it to the types of an Attestor.")
    keys: dict[str, str] = {}
    for name, (manifest, one) in attestors.items():
        first = keys.setdefault(one.public_key.strip(), name)
        if first != name:
            yield manifest.problem(("publicKey",), f"It is {first}'s key.", "Give each attestor a key of its own.")


def write(writing: Writing) -> None:
    """Make attestors and requirements as wanted."""
    session, nodes = writing.session, node_ids(writing.session)
    attestors = {one.name: one for one in session.exec(select(AttestorRow))}
    wanted = writing.wanted.specs(Attestor)
    for name, one in wanted.items():
        row = attestors.get(name) or AttestorRow(name=name, public_key="", revision=0)
        if (row.public_key, row.types) != (one.public_key, one.types):
            row.public_key, row.types, row.revision = one.public_key, one.types, writing.revision
        session.add(row)
    for name in attestors.keys() - wanted.keys():
        session.delete(attestors[name])
    rules = {one.name: one for one in session.exec(select(CheckpointRule))}
    required = writing.wanted.specs(RequiredCheckpoint)
    for name, rule in required.items():
        kept = rules.get(name) or CheckpointRule(name=name, node_id=nodes[rule.at])
        kept.node_id, kept.types = nodes[rule.at], rule.types
        kept.environments, kept.max_age_days = rule.environments, rule.max_age_days
        session.add(kept)
    for name in rules.keys() - required.keys():
        session.delete(rules[name])
    session.flush()
