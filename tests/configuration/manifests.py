"""A small hospital as manifests, and ways to change it for a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine

from governance import clock
from governance.bootstrap import metadata
from governance.configuration.apply import Applier, apply
from governance.configuration.model import SourceFile

EXAMPLE = Path(__file__).parents[2] / "examples" / "hospital"

SMALL: dict[str, dict[str, Any]] = {
    "Department/hospital": {"title": "Hospital"},
    "Department/imaging": {"title": "Imaging", "parent": "hospital"},
    "Department/radiology": {"title": "Radiology", "parent": "imaging"},
    "Project/ct": {"department": "radiology", "environment": "research", "owner": "okafor"},
    "Person/okafor": {
        "displayName": "Dr. Okafor",
        "email": "okafor@example.org",
        "identities": {"oidc": ["okafor@example.org"], "kubernetes": ["okafor"]},
        "roles": [{"role": "requester", "at": "radiology"}],
    },
    "Person/lindqvist": {
        "displayName": "M. Lindqvist",
        "email": "lindqvist@example.org",
        "identities": {"oidc": ["lindqvist@example.org"]},
        "roles": [{"role": "approver", "at": "radiology"}],
    },
    "Person/sato": {
        "displayName": "K. Sato",
        "email": "sato@example.org",
        "identities": {"oidc": ["sato@example.org"]},
        "roles": [{"role": "admin", "at": "hospital"}],
    },
    "Group/platform": {"members": ["lindqvist"]},
    "Cluster/onprem": {"labels": {"location": "on-premises"}},
    "NamespaceBinding/ct": {"cluster": "onprem", "namespaces": ["ct"], "project": "ct"},
    "Quota/radiology": {"for": {"department": "radiology"}, "hard": {"cpu": "10", "requests.nvidia.com/gpu": 4}},
    "ApprovalRule/big": {
        "at": "imaging",
        "when": {"environments": ["production"], "above": {"cpu": "4"}},
        "require": [{"group": "platform"}],
    },
}


def small(changes: Mapping[str, dict[str, Any] | None] | None = None) -> list[SourceFile]:
    """The small hospital in one file; each change replaces a manifest's spec, adds one, or (None) leaves one out."""
    wanted = {**SMALL, **(changes or {})}
    documents = [
        {
            "apiVersion": "governance.io/v1",
            "kind": key.split("/")[0],
            "metadata": {"name": key.split("/")[1]},
            "spec": spec,
        }
        for key, spec in wanted.items()
        if spec is not None
    ]
    return [SourceFile("hospital.yaml", yaml.safe_dump_all(documents, sort_keys=False).encode())]


def text(content: str, name: str = "a.yaml") -> SourceFile:
    """A file with this text."""
    return SourceFile(name, content.encode())


def example() -> list[SourceFile]:
    """The files of the example hospital."""
    return [SourceFile(path.name, path.read_bytes()) for path in sorted(EXAMPLE.iterdir())]


def apply_example(engine: Engine) -> None:
    """The example hospital in force, in an empty database."""
    metadata.create_all(engine)
    apply(engine, example(), Applier(None, "test"), clock.now())
