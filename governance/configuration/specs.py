"""The spec of every kind of manifest: shape and meaning within one manifest. Pure.

Shapes are pydantic models (strict, unknown fields refused). What must hold between fields of one manifest is said by
`problems()`, with the path of the field; what must hold between manifests, by `references`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from governance.compliance.model import is_type
from governance.configuration.resources import canonical_resource, problem_of_resource
from governance.errors import BadInput
from governance.units import amount, show_amount

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_EMAIL = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")

SpecProblem = tuple[tuple[str | int, ...], str, str]


def refuse(detail: str) -> PydanticCustomError:
    """What a validator raises."""
    return PydanticCustomError("refused", "{detail}", {"detail": detail})


def is_name(text: str) -> bool:
    """Whether this can be a `metadata.name`: lower-case letters, digits, `-` and `.`, at most 63 characters."""
    return _NAME.fullmatch(text) is not None


def _name(text: str) -> str:
    if not is_name(text):
        raise refuse(f"{text!r} is not a name. Use lower-case letters, digits, - and ., at most 63 characters.")
    return text


def _group(text: str) -> str:
    if not is_name(text.removeprefix("approver@")):
        raise refuse(f"{text!r} is not a group. Name a Group, or write approver@DEPARTMENT.")
    return text


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise refuse(f"{key}: {value} is not a label. Write it as Kubernetes labels are written.")
    return dict(sorted(labels.items()))


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise refuse(f"{text!r} is not an e-mail address.")
    return text


def _time_zone(text: str) -> str:
    if text not in _time_zones():
        raise refuse(f"{text!r} is not a time zone. Use a name such as Europe/Stockholm.")
    return text


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())  # walks folders with hundreds of files


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise refuse(f"{text!r} is not a currency. Use an ISO 4217 code such as EUR.")
    return text


def _instant(text: str) -> str:
    wrong = refuse(f"{text!r} is not a time with its zone. Write it like 2026-12-24T18:00:00+01:00.")
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:  # no time, or one before the first year of UTC
        raise wrong from error
    raise wrong


def quantity(value: object) -> object:
    """A number that stands unquoted in YAML, as text."""
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _set(values: list[str]) -> list[str]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise refuse(f"{value} stands twice.")
    return sorted(values)


def _checkpoint_type(text: str) -> str:
    if not is_type(text):
        raise refuse(f"{text!r} is not a type of checkpoint. Use lower-case letters, digits, - and ., as in vuln-scan.")
    return text


Text = Annotated[str, Field(min_length=1, max_length=500)]
Name = Annotated[str, AfterValidator(_name)]
GroupName = Annotated[str, AfterValidator(_group)]
Names = Annotated[list[Name], AfterValidator(_set)]
Words = Annotated[list[Text], AfterValidator(_set)]
Instant = Annotated[str, AfterValidator(_instant)]  # in UTC, to the second, however it was written
TimeZone = Annotated[str, AfterValidator(_time_zone)]
CheckpointType = Annotated[str, AfterValidator(_checkpoint_type)]
Labels = Annotated[dict[str, str], AfterValidator(_labels)]
Currency = Annotated[str, AfterValidator(_currency)]
Quantities = dict[str, Annotated[str, BeforeValidator(quantity)]]


class Shape(BaseModel):
    """Fields in camelCase, nothing unknown, nothing converted."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=False,
        validate_by_alias=True,
    )


class Spec(Shape):
    """A manifest's `spec`."""

    def problems(self) -> Iterator[SpecProblem]:
        """What is wrong between the fields of this spec: path, sentence, remedy."""
        yield from ()

    def canonical(self) -> dict[str, Any]:
        """The spec as it is stored and compared: sets in order, quantities in one notation, defaults left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


class Autoscaling(Shape):
    """What is charged of a workload that an autoscaler scales: its current replicas, or the most that it may have."""

    charge: Literal["current", "maximum"]


class RequiredCheckpoint(Shape):
    """That the newest checkpoint of this type has passed for every new image, and how old it may be."""

    type: CheckpointType
    max_age_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class Requiring(Spec):
    """A node: what it requires holds for all that runs there and below it, beside what is required above."""

    required_checkpoints: Annotated[list[RequiredCheckpoint], Field(max_length=20)] = []

    def problems(self) -> Iterator[SpecProblem]:
        types = [one.type for one in self.required_checkpoints]
        for position, name in enumerate(types):
            if name in types[:position]:
                yield ("requiredCheckpoints", position, "type"), f"{name} stands twice.", "Remove one."

    def canonical(self) -> dict[str, Any]:
        spec = Spec.canonical(self)
        if "requiredCheckpoints" in spec:
            spec["requiredCheckpoints"].sort(key=lambda one: one["type"])
        return spec


class Department(Requiring):
    """A node of the organisation tree. The one without a parent is the root."""

    title: Text
    parent: Name | None = None
    currency: Currency | None = None  # None: the parent's
    cost_centre: Text | None = None
    legal_entity: Text | None = None
    owner: Name | None = None  # None: the nearest department's above that has one
    autoscaling: Autoscaling | None = None  # None: as the parent


class Project(Requiring):
    """What namespaces and accounts are bound to. `labels` are read by placement rules."""

    title: Text | None = None
    department: Name
    environment: Name
    labels: Labels = {}
    owner: Name | None = None  # None: the nearest department's that has one
    autoscaling: Autoscaling | None = None  # None: as the department


class Identities(Shape):
    """How a person is called elsewhere: OIDC subjects or verified e-mail addresses, clusters' user names, AWS ARNs,
    Azure user principal names."""

    oidc: Words = []
    kubernetes: Words = []
    aws: Words = []
    azure: Words = []

    def by_provider(self) -> dict[str, list[str]]:
        """The names by who calls the person so."""
        return {"oidc": self.oidc, "kubernetes": self.kubernetes, "aws": self.aws, "azure": self.azure}


class RoleAt(Shape):
    role: Literal["requester", "approver", "finance", "auditor", "admin", "service"]
    at: Name


class Delegate(Shape):
    """Who stands in for a person in approvals, and when (half open)."""

    person: Name
    since: Instant
    until: Instant


class Person(Spec):
    display_name: Text
    email: Annotated[str, AfterValidator(_email)]
    time_zone: TimeZone = "UTC"
    identities: Identities = Identities()
    roles: list[RoleAt] = []
    delegates: list[Delegate] = []

    def problems(self) -> Iterator[SpecProblem]:
        held = {one.role for one in self.roles}
        if "service" in held and len(held) > 1:
            yield ("roles",), "The role service stands alone: a program is not a person.", "Make a Person of its own."
        for position, role in enumerate(self.roles):
            if role in self.roles[:position]:
                yield ("roles", position), f"The role {role.role} at {role.at} stands twice.", "Remove one."
        for position, one in enumerate(self.delegates):
            if one.until <= one.since:
                detail = f"The time ends ({one.until}) before it begins ({one.since})."
                yield ("delegates", position, "until"), detail, "Write a later time."
            if one in self.delegates[:position]:
                yield ("delegates", position), f"{one.person} stands twice for that time.", "Remove one."

    def canonical(self) -> dict[str, Any]:
        spec = Spec.canonical(self)
        if "roles" in spec:
            spec["roles"].sort(key=lambda one: (one["role"], one["at"]))
        if "delegates" in spec:
            spec["delegates"].sort(key=lambda one: (one["since"], one["person"], one["until"]))
        return spec


class Group(Spec):
    """People who may speak for it in approvals."""

    title: Text | None = None
    members: Names


class Cluster(Spec):
    """A cluster that asks. Placement rules read `labels`; whether it enforces is not configuration, but its state."""

    title: Text | None = None
    labels: Labels = {}


class Expression(Shape):
    """One line of a label selector (Kubernetes `LabelSelectorRequirement`)."""

    key: Text
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Words = []


class Selector(Shape):
    """A label selector over namespaces (Kubernetes `LabelSelector`); all of its lines must match."""

    match_labels: Labels = {}
    match_expressions: list[Expression] = []


class NamespaceBinding(Spec):
    """Which project pays for these namespaces of a cluster, or that nobody is asked for them (`exempt`)."""

    cluster: Name
    namespaces: Names = []
    selector: Selector | None = None
    project: Name | None = None
    exempt: bool = False

    def problems(self) -> Iterator[SpecProblem]:
        if bool(self.namespaces) == (self.selector is not None):
            yield (), "It must name namespaces, or give a selector, and not both.", "Set namespaces or selector."
        if (self.project is None) != self.exempt:
            yield (), "It must name a project, or be exempt, and not both.", "Set project, or exempt: true."
        if self.selector is not None:
            yield from _selector_problems(self.selector)


def _selector_problems(selector: Selector) -> Iterator[SpecProblem]:
    if not selector.match_labels and not selector.match_expressions:
        yield ("selector",), "An empty selector would match every namespace.", "Give a label."
    for position, one in enumerate(selector.match_expressions):
        if (one.operator in {"In", "NotIn"}) != bool(one.values):
            path = ("selector", "matchExpressions", position)
            yield path, f"{one.operator} and its values do not fit.", "In and NotIn need values, the others none."


class QuotaFor(Shape):
    department: Name | None = None
    project: Name | None = None


class Quota(Spec):
    """What a department or project may take at most."""

    for_: QuotaFor = Field(alias="for")
    hard: Quantities
    lending_limit: Quantities = {}
    borrowing_limit: Quantities = {}

    def problems(self) -> Iterator[SpecProblem]:
        if (self.for_.department is None) == (self.for_.project is None):
            yield ("for",), "It must name one department or one project.", "Set one of the two."
        for name in ("hard", "lendingLimit", "borrowingLimit"):
            yield from _quantity_problems((name,), self.quantities(name))
        hard = amounts(self.hard)
        for name in ("lendingLimit", "borrowingLimit"):
            for resource, value in amounts(self.quantities(name)).items():
                if resource not in hard:
                    yield (name, resource), "There is no hard limit of this resource.", "Add it to hard."
                elif name == "lendingLimit" and value > hard[resource]:
                    yield (name, resource), "More is lent than the hard limit.", "Lend at most what hard says."

    def quantities(self, name: str) -> dict[str, str]:
        """The quantities under a field's manifest name."""
        return {"hard": self.hard, "lendingLimit": self.lending_limit, "borrowingLimit": self.borrowing_limit}[name]

    def canonical(self) -> dict[str, Any]:
        spec = Spec.canonical(self)
        for name in ("hard", "lendingLimit", "borrowingLimit"):
            if name in spec:
                spec[name] = _shown(self.quantities(name))
        return spec


class When(Shape):
    """When a rule holds; what is left out holds always. `overrun`: when a limit is exceeded."""

    environments: Names = []
    kinds: Words = []
    above: Quantities = {}
    overrun: bool = False


class Require(Shape):
    group: GroupName
    minimum: Annotated[int, Field(ge=1, le=20)] = 1
    deny_minimum: Annotated[int, Field(ge=1, le=20)] = 1


class ApprovalRule(Spec):
    """When an approval is needed at a department and below it, and whose."""

    at: Name
    when: When = When()
    require: Annotated[list[Require], Field(min_length=1, max_length=10)]

    def problems(self) -> Iterator[SpecProblem]:
        yield from _quantity_problems(("when", "above"), self.when.above)
        for position, kind in enumerate(self.when.kinds):
            if not re.fullmatch(r"[a-z0-9.-]+/[a-z0-9]+", kind):
                path = ("when", "kinds", position)
                yield path, f"{kind!r} is not a kind.", "Write group/resource: apps/deployments, core/pods."
        for position, one in enumerate(self.require):
            if one.group in {earlier.group for earlier in self.require[:position]}:
                yield ("require", position, "group"), f"{one.group} stands twice.", "Raise its minimum instead."

    def canonical(self) -> dict[str, Any]:
        spec = Spec.canonical(self)
        if self.when.above:
            spec["when"]["above"] = _shown(self.when.above)
        return spec


class FreezeCalendar(Spec):
    """Windows in which changes are refused, as iCalendar (RFC 5545): the text, or a file beside the manifest."""

    at: Name
    environments: Names = []
    time_zone: TimeZone = "UTC"  # of whole days and of times without a zone
    calendar: Annotated[str, Field(min_length=1, max_length=200_000)] | None = None
    file: Text | None = None

    def problems(self) -> Iterator[SpecProblem]:
        if (self.calendar is None) == (self.file is None):
            yield (), "It must hold a calendar, or name a file, and not both.", "Set calendar or file."


def amounts(quantities: dict[str, str]) -> dict[str, int]:
    """Quantities in ledger amounts, by canonical resource name; what cannot be read is left out."""
    found = {}
    for name, text in quantities.items():
        try:
            found[canonical_resource(name)] = amount(canonical_resource(name), text)
        except BadInput:
            continue
    return found


def _shown(quantities: dict[str, str]) -> dict[str, str]:
    return {name: show_amount(name, value) for name, value in sorted(amounts(quantities).items())}


def _quantity_problems(path: tuple[str, ...], quantities: dict[str, str]) -> Iterator[SpecProblem]:
    seen: dict[str, str] = {}
    for name, text in quantities.items():
        resource = canonical_resource(name)
        if found := problem_of_resource(resource):
            yield (*path, name), *found
            continue
        if resource in seen:
            yield (*path, name), f"{name} and {seen[resource]} are the same resource.", "Remove one."
        seen[resource] = name
        try:
            amount(resource, text)
        except BadInput as error:
            yield (*path, name), error.detail, error.remedy or ""
