"""The spec of an attestor. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from governance.compliance.keys import read_public_key
from governance.configuration.specs import CheckpointType, Name, Spec, SpecProblem
from governance.errors import BadInput

_PEM_CHARACTERS_MAX = 1000


class Attestor(Spec):
    """Who may attest checkpoints of which types: whoever signs with this key."""

    public_key: Annotated[str, Field(min_length=1, max_length=_PEM_CHARACTERS_MAX)]
    types: Annotated[list[CheckpointType], Field(min_length=1, max_length=100)]
    owner: Name | None = None

    def problems(self) -> Iterator[SpecProblem]:
        try:
            read_public_key(self.public_key)
        except BadInput as error:
            yield ("publicKey",), error.detail, error.remedy or ""
        for position, name in enumerate(self.types):
            if name in self.types[:position]:
                yield ("types", position), f"{name} stands twice.", "Remove one."

    def canonical(self) -> dict[str, Any]:
        spec = Spec.canonical(self)
        return {**spec, "publicKey": f"{self.public_key.strip()}\n", "types": sorted(self.types)}
