"""Quotas: the tree, and the page of one department or project."""

from __future__ import annotations

from dataclasses import dataclass

from governance.web.views.parts import Badge, Fact, Meter, Moment, Number


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A node of the tree with the meters that are fullest."""

    title: str
    href: str
    kind: str  # department, project
    depth: int
    environment: str
    meters: tuple[Meter, ...]
    more: int  # meters not shown here


@dataclass(frozen=True, slots=True)
class QuotaTree:
    """Every department and project that the reader may see."""

    sentence: str
    as_of: Moment
    nodes: tuple[TreeNode, ...]


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """One resource of a node, all amounts in one unit."""

    title: str
    resource: str
    unit: str
    used: Number
    held: Number
    kept: Number
    available: Number | None
    hard: Number | None
    borrowed: Number | None
    lends: Number | None
    rule: str


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One charge at or below the node."""

    title: str
    kind: str
    project: str
    state: Badge
    amounts: tuple[str, ...]
    since: Moment
    decision_href: str


@dataclass(frozen=True, slots=True)
class NodePage:
    """One department or project."""

    title: str
    kind: str
    sentence: str
    as_of: Moment
    path: tuple[Fact, ...]  # from the root down
    meters: tuple[Meter, ...]
    rows: tuple[QuotaRow, ...]
    children: tuple[TreeNode, ...]
    charges: tuple[ChargeLine, ...]
    more_charges: int
    allowances: tuple[Fact, ...]
    breaches: tuple[Fact, ...]
    facts: tuple[Fact, ...]
