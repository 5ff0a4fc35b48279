"""What an event says happened, whichever cloud sent it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from webhooks.cloud.event import Provider

INSTANCE = "ec2/instances"


@dataclass(frozen=True, slots=True)
class Launched:
    """A machine came to be."""

    provider: Provider
    scope: str
    kind: str  # ec2/instances
    uid: str  # by which the cloud knows this incarnation: an instance's id
    name: str
    resource_id: str  # as a bill names it, normalised (`resource_id_of`)
    machine: str  # its type
    image: str
    disks_gb: int
    region: str
    actor: str
    at: datetime
    event: str  # the event that told it: an exact replay of it is answered by what was decided before
    group: str = ""  # resource group
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """A machine is no more, or will not be in a moment; its like never returns under this uid."""

    scope: str
    kind: str
    uid: str
    at: datetime


Happening = Launched | Ended


def arn_of_instance(region: str, account: str, instance: str) -> str:
    """The ARN of an instance, which is what FOCUS calls its ResourceId."""
    return f"arn:aws:ec2:{region}:{account}:instance/{instance}"
