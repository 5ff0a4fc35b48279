"""What a checkpoint says, and what a department requires of an image. Pure.

A checkpoint is a signed statement that a named control passed, or failed, for one digest. Of each type the newest one
counts, so that a later failure beats an earlier pass; of two of the same moment the failure does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Result = Literal["pass", "fail"]
RESULTS: tuple[Result, ...] = ("pass", "fail")

TYPE_PATTERN = "[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?"
"""How a type is called: `vuln-scan`."""
DIGEST_PATTERN = "sha256:[0-9a-f]{64}"
"""The one way in which digests are written: as registries and container runtimes write them."""

_TYPE = re.compile(TYPE_PATTERN)
_DIGEST = re.compile(DIGEST_PATTERN)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file that the result was read from. It stays where it is; its hash tells whether it is still the same."""

    name: str
    sha256: str  # in hex


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One statement of an attestor, as it was signed."""

    type: str
    result: Result
    digest: str  # sha256:..., of what was checked
    resource: str  # how that was called: an image without its digest
    attestor: str
    at: datetime
    control: str = ""  # of which catalogue: ISO 27001 A.8.8
    policy_digest: str = ""  # of the rules by which it was checked
    until: datetime | None = None
    waiver: str = ""  # the exception under which it passed, as the attestor calls it
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Requirement:
    """That the newest checkpoint of a type has passed, and is no older than this. `node_id` is where it is required."""

    type: str
    node_id: str
    age_max: timedelta | None = None  # None: it holds until it ends itself


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest checkpoint of a type for a digest, as far as a decision needs it."""

    type: str
    digest: str
    result: str
    at: datetime
    until: datetime | None = None

    def is_newer(self, than: Standing) -> bool:
        """Whether this one counts and not the other: the later one does, and of the same moment the failure."""
        return (self.at, self.result == "fail") > (than.at, than.result == "fail")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of one image by one requirement, and how it stands. `result` None: nothing was recorded."""

    image: str
    digest: str  # empty: the image is named by a tag alone
    type: str
    node_id: str
    result: str | None = None
    at: datetime | None = None
    valid_until: datetime | None = None  # None: no end


def is_type(text: str) -> bool:
    """Whether a type of checkpoint can be called so."""
    return _TYPE.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether this is a digest, as `DIGEST_PATTERN` says."""
    return _DIGEST.fullmatch(text) is not None


def digest_in(image: str) -> str:
    """The digest in an image reference, empty where it names none: `registry/ct:7@sha256:...` has one, a tag has not.

    Source: distribution reference grammar (`name [":" tag] ["@" digest]`); other algorithms than SHA-256 count as none.
    """
    _, _, digest = image.rpartition("@")
    return digest if is_digest(digest) else ""


def strictest(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """What a whole path requires: requirements add up, and of one type the shortest age holds.

    Args:
        requirements: of every node of the path, the project's first, the root's last.

    Returns:
        one for each type, by type; of equal ages the one nearest to the root, whose people decide for more.
    """
    found: dict[str, Requirement] = {}
    for one in requirements:
        known = found.get(one.type)
        if known is None or _age(one) <= _age(known):
            found[one.type] = one
    return tuple(found[name] for name in sorted(found))


def asked_of(
    images: Iterable[str], requirements: Iterable[Requirement], standings: Iterable[Standing]
) -> tuple[Asked, ...]:
    """What is asked of images, each by each requirement.

    Args:
        images: references that are new to what was admitted.
        requirements: one for each type, see `strictest`.
        standings: the newest checkpoint for each type and digest.
    """
    known: Mapping[tuple[str, str], Standing] = {(one.type, one.digest): one for one in standings}
    required = tuple(requirements)
    return tuple(
        _asked(image, one, known.get((one.type, digest_in(image)))) for image in sorted(images) for one in required
    )


def new_images(images: Iterable[str], admitted: Iterable[str]) -> tuple[str, ...]:
    """The images that are not among those which were admitted before; by digest, where they name one."""
    known = {digest_in(one) or one for one in admitted}
    return tuple(one for one in images if (digest_in(one) or one) not in known)


def _asked(image: str, required: Requirement, standing: Standing | None) -> Asked:
    if standing is None:
        return Asked(image, digest_in(image), required.type, required.node_id)
    ends = [standing.at + required.age_max] if required.age_max is not None else []
    ends += [standing.until] if standing.until is not None else []
    return Asked(
        image,
        standing.digest,
        required.type,
        required.node_id,
        standing.result,
        standing.at,
        min(ends, default=None),
    )


def _age(one: Requirement) -> timedelta:
    return timedelta.max if one.age_max is None else one.age_max
