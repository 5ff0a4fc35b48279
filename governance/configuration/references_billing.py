"""What must hold between rules of billing and the rest."""

from __future__ import annotations

from collections.abc import Iterator

from governance.configuration.model import Manifests, Problem
from governance.configuration.references import known
from governance.configuration.specs import Project
from governance.configuration.specs_billing import AllocationRule


def allocation(manifests: Manifests) -> Iterator[Problem]:
    """Every project that a rule names exists."""
    projects = manifests.specs(Project)
    for manifest, rule in manifests.of(AllocationRule).values():
        yield from known(manifest, ("project",), rule.project, projects, "project")
        for position, part in enumerate(rule.split.among if rule.split else ()):
            yield from known(manifest, ("split", "among", position, "project"), part.project, projects, "project")
