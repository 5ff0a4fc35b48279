"""The specs of compliance: who may attest what, and what a department requires. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from governance.compliance.attestation import public_key
from governance.configuration.specs import Name, Names, Spec, SpecProblem

_AGE_DAYS_MAX = 3650


class Attestor(Spec):
    """Who signs checkpoints, with which key, and of which types."""

    public_key: Annotated[str, Field(min_length=1, max_length=2000)]
    types: Annotated[Names, Field(min_length=1, max_length=100)]

    def problems(self) -> Iterator[SpecProblem]:
        if public_key(self.public_key) is None:
            remedy = "Write what this prints: openssl pkey -in attestor.pem -pubout"
            yield ("publicKey",), "It is not an Ed25519 public key in PEM.", remedy


class RequiredCheckpoint(Spec):
    """Which types must have passed for the images of a department's workloads, and of what is below it."""

    at: Name
    types: Annotated[Names, Field(min_length=1, max_length=20)]
    environments: Annotated[Names, Field(default_factory=list)]
    max_age_days: Annotated[int, Field(ge=1, le=_AGE_DAYS_MAX)] | None = None
