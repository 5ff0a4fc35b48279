"""The specs of what binds clouds: accounts, subscriptions, and which project pays for what is in them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from governance.configuration.specs import Labels, Name, Shape, Spec, SpecProblem, Text, refuse

_TAG_MAX = 256  # characters of a tag's key or value, on either cloud


def _account(text: str) -> str:
    if not re.fullmatch("[0-9]{12}", text, re.ASCII):
        raise refuse(f"{text!r} is not an AWS account. Write its twelve digits in quotes.")
    return text


def _subscription(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text.lower(), re.ASCII):
        raise refuse(f"{text!r} is not an Azure subscription. Write its id, in quotes.")
    return text.lower()


class AwsAccount(Spec):
    """An account that asks. Placement rules read `labels`."""

    account: Annotated[str, AfterValidator(_account)]
    title: Text | None = None
    labels: Annotated[Labels, Field(default_factory=dict)]


class AzureSubscription(Spec):
    """A subscription that asks. Placement rules read `labels`."""

    subscription: Annotated[str, AfterValidator(_subscription)]
    title: Text | None = None
    labels: Annotated[Labels, Field(default_factory=dict)]


class Tag(Shape):
    """A tag that a resource has."""

    key: Annotated[str, Field(min_length=1, max_length=_TAG_MAX)]
    value: Annotated[str, Field(max_length=_TAG_MAX)]


class CloudBinding(Spec):
    """Which project pays for an account or subscription, or for what in it has a tag or is in a resource group."""

    account: Name | None = None
    subscription: Name | None = None
    tag: Tag | None = None
    resource_group: Text | None = None
    project: Name | None = None
    exempt: bool = False

    def problems(self) -> Iterator[SpecProblem]:
        if (self.account is None) == (self.subscription is None):
            yield (), "It must name an account or a subscription, and not both.", "Set account or subscription."
        if (self.project is None) != self.exempt:
            yield (), "It must name a project, or be exempt, and not both.", "Set project, or exempt: true."
        if self.resource_group is not None and self.tag is not None:
            yield ("resourceGroup",), "It names a tag as well.", "Write a binding for each."
        if self.resource_group is not None and self.account is not None:
            yield ("resourceGroup",), "An AWS account has no resource groups.", "Name a tag."

    def part(self) -> dict[str, str]:
        """Of which part it speaks, as its row has it; empty: of all that no other binding names."""
        if self.tag is not None:
            return {"key": self.tag.key, "value": self.tag.value}
        return {"group": self.resource_group.lower()} if self.resource_group else {}
