"""What must hold between manifests: what is named exists, the tree is one, every rule can be met. Reads no database."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from governance import clock
from governance.change.freezes import HORIZON
from governance.change.ical import expand
from governance.change.tally import short_of
from governance.configuration.model import Manifest, Manifests, Path, Problem
from governance.configuration.specs import (
    ApprovalRule,
    Cluster,
    Department,
    FreezeCalendar,
    Group,
    NamespaceBinding,
    Person,
    Project,
    Quota,
    amounts,
)
from governance.errors import BadInput
from governance.identity.people import APPROVER_AT
from governance.policy.model import Need


def ancestors(departments: dict[str, Department], name: str) -> list[str]:
    """The department and those above it, the root last; stops where a parent is unknown or comes again."""
    found: list[str] = []
    current: str | None = name
    while current in departments and current not in found:
        found.append(current)
        current = departments[current].parent
    return found


def organisation(manifests: Manifests) -> Iterator[Problem]:
    """The tree is one tree, names are known, and somebody can apply again."""
    departments = manifests.of(Department)
    broken = list(_tree(manifests))
    yield from broken or _administrators(manifests)
    yield from _people(manifests)
    for manifest, department in departments.values():
        yield from known(manifest, ("owner",), department.owner, manifests.specs(Person), "person")
    for name, (manifest, project) in manifests.of(Project).items():
        yield from known(manifest, ("department",), project.department, departments, "department")
        yield from known(manifest, ("owner",), project.owner, manifests.specs(Person), "person")
        if name in departments:
            detail = f"A department has the name {name} too; commands and links name both by it."
            yield manifest.problem((), detail, "Rename one.")


def _tree(manifests: Manifests) -> Iterator[Problem]:
    departments = manifests.of(Department)
    specs = manifests.specs(Department)
    roots = [manifest for manifest, department in departments.values() if department.parent is None]
    for extra in roots[1:]:
        detail = f"There is a root already: {roots[0].name} ({roots[0].file}). One department has no parent."
        yield extra.problem((), detail, "Give it a parent.")
    for name, (manifest, department) in departments.items():
        yield from known(manifest, ("parent",), department.parent, departments, "department")
        line = ancestors(specs, name)
        if specs[line[-1]].parent in line:
            circle = " -> ".join([*line[line.index(str(specs[line[-1]].parent)) :], str(specs[line[-1]].parent)])
            yield manifest.problem(("parent",), f"The departments go in a circle: {circle}.", "Break it.")
    if not departments:
        yield Problem("", 0, "", "There is no department.", "Describe at least the root.")


def _people(manifests: Manifests) -> Iterator[Problem]:
    departments, people = manifests.specs(Department), manifests.of(Person)
    seen: dict[tuple[str, str], str] = {}
    for name, (manifest, person) in people.items():
        for position, held in enumerate(person.roles):
            yield from known(manifest, ("roles", position, "at"), held.at, departments, "department")
        for position, away in enumerate(person.delegates):
            at = ("delegates", position, "person")
            yield from known(manifest, at, away.person, people, "person")
            if away.person == name:
                yield manifest.problem(at, "Nobody stands in for themselves.", "Name somebody else.")
        for provider, subjects in person.identities.by_provider().items():
            for position, subject in enumerate(subjects):
                key = (provider, subject.lower() if provider == "oidc" else subject)
                if seen.setdefault(key, name) != name:
                    path = ("identities", provider, position)
                    yield manifest.problem(path, f"{subject} is {seen[key]} already.", "An identity is one person's.")
    for manifest, group in manifests.of(Group).values():
        for position, member in enumerate(group.members):
            yield from known(manifest, ("members", position), member, people, "person")


def _administrators(manifests: Manifests) -> Iterator[Problem]:
    departments = manifests.specs(Department)
    root = next((name for name, one in departments.items() if one.parent is None), None)
    holders = [
        name
        for name, person in manifests.specs(Person).items()
        if any(held.role == "admin" and held.at == root for held in person.roles)
    ]
    if root is not None and not holders:
        manifest = manifests["Department", root]
        detail = f"Nobody is admin at {root}: nobody could apply again."
        yield manifest.problem((), detail, "Give a Person the role admin at the root.")


def bindings(manifests: Manifests) -> Iterator[Problem]:
    """Every binding names a cluster and a project that are there, and no namespace has two."""
    clusters, projects = manifests.specs(Cluster), manifests.specs(Project)
    seen: dict[tuple[str, str], str] = {}
    for name, (manifest, binding) in manifests.of(NamespaceBinding).items():
        yield from known(manifest, ("cluster",), binding.cluster, clusters, "cluster")
        yield from known(manifest, ("project",), binding.project, projects, "project")
        for position, namespace in enumerate(binding.namespaces):
            first = seen.setdefault((binding.cluster, namespace), name)
            if first != name:
                detail = f"{namespace} is bound by {first} already."
                yield manifest.problem(("namespaces", position), detail, "A namespace has one binding.")


def rules(manifests: Manifests) -> Iterator[Problem]:
    """Every approval rule can be met, and every calendar stands at a department."""
    departments, groups = manifests.specs(Department), manifests.specs(Group)
    for manifest, calendar in manifests.of(FreezeCalendar).values():
        yield from known(manifest, ("at",), calendar.at, departments, "department")
        yield from _calendar(manifest, calendar)
    for manifest, rule in manifests.of(ApprovalRule).values():
        yield from known(manifest, ("at",), rule.at, departments, "department")
        missing: list[Problem] = []
        for position, one in enumerate(rule.require):
            department = one.group.removeprefix(APPROVER_AT)
            there, what = (departments, "department") if one.group != department else (groups, "group")
            missing += known(manifest, ("require", position, "group"), department, there, what)
        yield from missing or _unsatisfiable(manifests, manifest, rule)


def _calendar(manifest: Manifest, calendar: FreezeCalendar) -> Iterator[Problem]:
    now = clock.now()
    try:
        expand(calendar.calendar or "", calendar.time_zone, now, now + HORIZON)
    except BadInput as error:
        path = ("file",) if ("spec", "file") in manifest.lines else ("calendar",)
        yield manifest.problem(path, error.detail, error.remedy or "")


def _unsatisfiable(manifests: Manifests, manifest: Manifest, rule: ApprovalRule) -> Iterator[Problem]:
    needs = [Need(manifest.name, one.group, one.minimum, one.deny_minimum) for one in rule.require]
    members = {one.group: members_of(manifests, one.group) for one in rule.require}
    ids = {name: UUID(int=number) for number, name in enumerate(manifests.specs(Person))}
    lacks = short_of(needs, {group: frozenset(ids[name] for name in names) for group, names in members.items()})
    for need, lack in lacks[:1]:
        have = ", ".join(members[need.group]) or "nobody"
        detail = f"This can never be met: {need.group} needs {need.minimum} and lacks {lack}; it is {have}."
        remedy = "Add people or lower the minimum; one person counts for one requirement, and an admin never approves."
        yield manifest.problem(("require", needs.index(need)), detail, remedy)


def members_of(manifests: Manifests, group: str) -> list[str]:
    """The people who may speak for a group: a Group's members, or the approvers at a department or above it.

    Who configures, or is a program, never approves.
    """
    people, departments = manifests.specs(Person), manifests.specs(Department)
    if group.startswith(APPROVER_AT):
        path = ancestors(departments, group.removeprefix(APPROVER_AT))
        named: Iterable[str] = (
            name
            for name, person in people.items()
            if any(held.role == "approver" and held.at in path for held in person.roles)
        )
    else:
        found = manifests.get(("Group", group))
        named = found.spec.members if found is not None and isinstance(found.spec, Group) else ()
    return sorted(
        name
        for name in named
        if name in people and not any(held.role in {"admin", "service"} for held in people[name].roles)
    )


def quotas(manifests: Manifests) -> Iterator[Problem]:
    """One limit for a node and resource, and no more guaranteed below a node than it has."""
    departments, projects = manifests.specs(Department), manifests.specs(Project)
    setter: dict[tuple[str, str], str] = {}
    for name, (manifest, quota) in manifests.of(Quota).items():
        target = quota.for_
        yield from known(manifest, ("for", "department"), target.department, departments, "department")
        yield from known(manifest, ("for", "project"), target.project, projects, "project")
        node = str(target.department or target.project)
        for resource in quota.hard:
            key = (node, next(iter(amounts({resource: quota.hard[resource]}))))
            if setter.setdefault(key, name) != name:
                detail = f"The quota {setter[key]} limits it for {node} already."
                yield manifest.problem(("hard", resource), detail, "Remove one.")
        if target.department in departments and departments[target.department].parent is None:
            for field in ("lendingLimit", "borrowingLimit"):
                if quota.quantities(field):
                    yield manifest.problem((field,), "The root has nobody to lend to or borrow from.", "Remove it.")
    if not list(_tree(manifests)):  # it walks up the tree
        yield from _guarantees(manifests)


def _guarantees(manifests: Manifests) -> Iterator[Problem]:
    """A child's guarantee (hard - lending limit) is taken out of its parent's; LEDGER "The tree".

    A node without a limit for a resource passes its children's guarantees on to the next limit above.
    """
    departments, projects = manifests.specs(Department), manifests.specs(Project)
    limits: dict[tuple[str, str], tuple[Manifest, int, int]] = {}
    for manifest, quota in manifests.of(Quota).values():
        node, lent = str(quota.for_.department or quota.for_.project), amounts(quota.lending_limit)
        root = node in departments and departments[node].parent is None
        for resource, hard in amounts(quota.hard).items():
            guaranteed = hard if root else hard - lent[resource] if resource in lent else 0
            limits[node, resource] = (manifest, hard, guaranteed)
    promised: dict[tuple[str, str], int] = defaultdict(int)
    for (node, resource), (_, _, guaranteed) in limits.items():
        line = (
            ancestors(departments, projects[node].department) if node in projects else ancestors(departments, node)[1:]
        )
        above = next((one for one in line if (one, resource) in limits), None)
        if above is not None:
            promised[above, resource] += guaranteed
    for (node, resource), total in promised.items():
        manifest, hard, _ = limits[node, resource]
        if total > hard:
            detail = f"The guarantees below {node} add up to more than its own limit."
            yield manifest.problem(("hard", resource), detail, "Raise it, or let those below lend more.")


def known(manifest: Manifest, path: Path, name: str | None, there: Iterable[str], what: str) -> Sequence[Problem]:
    """A problem if what a field names is not there, with the nearest name that is."""
    if name is None or name in (names := list(there)):
        return ()
    close = difflib.get_close_matches(name, names, 1)
    remedy = f"Did you mean {close[0]}?" if close else f"Describe the {what}, or name another."
    return (manifest.problem(path, f"There is no {what} {name}.", remedy),)
