"""What a policy engine is asked and what it answers. Pure.

One entrypoint (`governance.admission`) answers `violations`, `warnings`, `approvals` and `checks` for one document.
Rules answer codes and values; sentences are written in Python (`governance.admission.sentences`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason to deny (violation) or to tell (warning): the rule's code and the values it was found on."""

    code: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """An approval that is needed: so many people of a group; `deny_minimum` rejections end it. `rule` asked for it."""

    rule: str
    group: str
    minimum: int
    deny_minimum: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The engine's answer. `checks` are the codes that were evaluated; a missing expected one denies."""

    violations: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    approvals: tuple[Need, ...]
    checks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule's METADATA, for pages, sentences and the list of expected checks."""

    code: str
    title: str
    description: str
    severity: str
    solution: str
    owner: str
    control: str
    effective_on: str
    exception: bool  # an approved change request can answer it


class PolicyEngine(Protocol):
    """The port.

    Implementations: `policy.embedded` (regopy), `policy.wasm` (wasmtime), `policy.opa` (opa-python-client).
    """

    @property
    def digest(self) -> str:
        """SHA-256 over the policy files in force; stands in every decision."""
        ...

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The rules by code; their codes are the expected checks."""
        ...

    def evaluate(self, document: Mapping[str, Any]) -> Evaluation:
        """Evaluate one document.

        Raises:
            PolicyUnavailable: silence, an error, a timeout, an undefined or malformed answer.
        """
        ...
