"""Checkpoints: signed statements that a named control passed for one digest. Pure.

A checkpoint is asked of each image of a workload by its digest, for each type that its department requires. The newest
one counts: a later failure beats an earlier pass (DESIGN.md, Compliance).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

Result = Literal["pass", "fail"]
PASS: Final = "pass"  # noqa: S105  (no password)
FAIL: Final = "fail"
FOREVER_S = 253_402_300_799  # the last second of the year 9999

_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What an attestor says: the control of this type passed, or failed, for a digest, at a time and until another.

    `evidence`: what it rests on, each `{uri, sha256}`. `policy_digest`: of the policy that it was checked by.
    """

    type: str
    result: Result
    digest: str  # sha256:...
    at: datetime
    until: datetime | None = None
    control: str = ""
    resource: str = ""
    policy_digest: str = ""
    waiver: str = ""
    evidence: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Requirement:
    """A type that must have passed, and how old the newest pass may be. `node`: which department requires it."""

    type: str
    node: str
    environments: tuple[str, ...] = ()  # empty: all
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest checkpoint of a type for a digest."""

    type: str
    digest: str
    result: str
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A type that an image must have passed, with what is known of it. `digest` is empty where the image names none,
    `result` where there is no checkpoint. `until_s`: how long a pass holds, in epoch seconds."""

    image: str
    digest: str
    type: str
    node: str
    result: str
    at_s: int
    until_s: int


def digest_of(image: str) -> str:
    """The digest that an image is named by; empty: a tag alone, which may be another image tomorrow.

    Source: OCI Distribution Specification 1.1, "Pulling manifests"; only SHA-256 is taken.
    """
    found = _DIGEST.search(image)
    return found[1] if found else ""


def asked(
    images: Sequence[str], requirements: Iterable[Requirement], newest: Iterable[Newest], environment: str
) -> Iterator[Asked]:
    """What must have passed for these images, in order.

    Where several departments of a path require the same type, the strictest age holds, of equal ones the nearest.

    Args:
        requirements: of the whole path, the nearest department's first.
        newest: of the digests of these images, at least.
    """
    known = {(one.type, one.digest): one for one in newest}
    required: dict[str, Requirement] = {}
    for one in requirements:
        if one.environments and environment not in one.environments:
            continue
        before = required.get(one.type)
        if before is None or _age_s(one) < _age_s(before):
            required[one.type] = one
    for image in dict.fromkeys(images):
        digest = digest_of(image)
        for requirement in required.values():
            found = known.get((requirement.type, digest)) if digest else None
            yield Asked(
                image=image,
                digest=digest,
                type=requirement.type,
                node=requirement.node,
                result=found.result if found else "",
                at_s=int(found.at.timestamp()) if found else 0,
                until_s=_until_s(found, requirement) if found else 0,
            )


def _age_s(requirement: Requirement) -> float:
    return requirement.max_age.total_seconds() if requirement.max_age else FOREVER_S


def _until_s(newest: Newest, requirement: Requirement) -> int:
    until = int(newest.until.timestamp()) if newest.until else FOREVER_S
    oldest = int((newest.at + requirement.max_age).timestamp()) if requirement.max_age else FOREVER_S
    return min(until, oldest)


def is_newer(one: Checkpoint, than: Newest) -> bool:
    """Whether a checkpoint takes the place of the one known so far: by the time at which it was attested; of the same
    time, a failure does."""
    return (one.at, one.result == FAIL) > (than.at, than.result == FAIL)
