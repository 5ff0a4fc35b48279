"""Quotas: the tree of departments and projects, and what each node may take, holds and has left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel
from sqlmodel import Session

from governance.api.visible import nodes_under
from governance.budget.facts import MONEY
from governance.budget.spend import budgets_of
from governance.db.session import reading
from governance.errors import NotFound
from governance.http.permissions import requires
from governance.identity import organisation
from governance.identity.model import Permission, Principal
from governance.identity.organisation import Branch
from governance.identity.tables import Node
from governance.quota.settlements import months_of
from governance.quota.show import Status, status
from governance.units import show_amount

router = APIRouter(tags=["quota"])

Reader = Annotated[Principal, Depends(requires(Permission.QUOTA_READ))]
Reference = Annotated[
    str, Path(min_length=1, max_length=100, description="A department's or project's name, or a node's id.")
]


class NodeShown(BaseModel):
    """A department or a project."""

    id: UUID
    kind: str
    name: str
    title: str


class BranchShown(NodeShown):
    """A node with everything below it that the caller may see."""

    children: list[BranchShown]


class Amount(BaseModel):
    """An amount in ledger units (millicores, bytes, counts), and as Kubernetes writes it."""

    value: int
    quantity: str


class ResourceStatus(BaseModel):
    """How one resource stands at a node.

    `used` is confirmed by the cluster and `held` reserved by admissions that were not seen yet; both with what is below
    the node. `kept` is guaranteed to nodes below and not used by them. `available` is what may still be taken, with
    what can be borrowed. Without a limit, `hard` and `available` are null.
    """

    resource: str
    hard: Amount | None
    held: Amount
    used: Amount
    kept: Amount
    available: Amount | None
    borrowed: Amount
    borrowing_limit: Amount | None
    lending_limit: Amount | None
    allowance: Amount
    rule: str


class OwnerShown(BaseModel):
    """Who owns a node. `of` is the node that names them: the one asked for, else the nearest above with an owner."""

    name: str
    display_name: str
    of: NodeShown


class MonthSettled(BaseModel):
    """What a node's charges, and those below it, cost in a month; amounts are decimal numbers as text.

    `estimate` is by price lists, `actual` what is charged back; both of the charges that lines of the bill have come
    for. `foretold` is the estimate of those that none has come for yet.
    """

    month: str
    currency: str
    estimate: str
    actual: str
    difference: str
    foretold: str
    charges: int
    billed_through: datetime | None


class BudgetShown(BaseModel):
    """A budget of a month, and what this month comes to; amounts are decimal numbers as text.

    `exposure` is `spent` with what stands until the month ends. `reached`: what becomes of requests for more then.
    `as_of` is null where no bill was allocated yet.
    """

    name: str
    currency: str
    per_month: str
    spent: str
    exposure: str
    reached: str
    as_of: datetime | None


class QuotaShown(BaseModel):
    """A node's owner, its way up to the root, its resources by name, and, for who may see bills, what it cost."""

    node: NodeShown
    owner: OwnerShown | None
    path: list[NodeShown]
    resources: list[ResourceStatus]
    settled: list[MonthSettled] | None
    budgets: list[BudgetShown] | None


@router.get("/quota/tree")
def tree(request: Request, principal: Reader) -> list[BranchShown]:
    """The tree, as far as the caller may see it."""
    with reading(request.app.state.engine) as session:
        seen = nodes_under(session, principal, Permission.QUOTA_READ)
        return [shown for branch in organisation.tree(session) for shown in _branches(branch, seen)]


@router.get("/quota/nodes/{reference}")
def show(request: Request, reference: Reference, principal: Reader) -> QuotaShown:
    """How a department or project stands."""
    with reading(request.app.state.engine) as session:
        node = _node(session, reference, principal)
        path = organisation.path_of(session, node.id)
        return QuotaShown(
            node=_shown(node),
            owner=_owner(session, path),
            path=[_shown(one) for one in path],
            resources=[_status(one) for one in status(session, node.id)],
            settled=_months(session, node, principal),
            budgets=_budgets(session, node, principal, request.app.state.clock()),
        )


def _node(session: Session, reference: str, principal: Principal) -> Node:
    """The node; one that the caller may not see is answered as one that is not there."""
    node = organisation.node_named(session, reference)
    if node.id not in nodes_under(session, principal, Permission.QUOTA_READ):
        raise NotFound(f"There is no department or project {reference}.", field="node")
    return node


def _branches(branch: Branch, seen: set[UUID]) -> list[BranchShown]:
    """The branch, or, where its node may not be seen, what may be seen below it."""
    below = [shown for child in branch.children for shown in _branches(child, seen)]
    if branch.node.id not in seen:
        return below
    return [BranchShown(**_shown(branch.node).model_dump(), children=below)]


def _shown(node: Node) -> NodeShown:
    return NodeShown(id=node.id, kind=node.kind, name=node.name, title=node.title)


def _owner(session: Session, path: Sequence[Node]) -> OwnerShown | None:
    found = organisation.owner_of(session, path)
    if found is None:
        return None
    person, node = found
    return OwnerShown(name=person.name, display_name=person.display_name, of=_shown(node))


def _budgets(session: Session, node: Node, principal: Principal, now: datetime) -> list[BudgetShown] | None:
    """The node's own budgets, for who may see its bills."""
    if node.id not in nodes_under(session, principal, Permission.BILLING_READ):
        return None
    return [
        BudgetShown(
            name=one.name,
            currency=one.currency,
            per_month=show_amount(MONEY, one.budget),
            spent=show_amount(MONEY, one.spent),
            exposure=show_amount(MONEY, one.exposure),
            reached=one.reached,
            as_of=one.as_of,
        )
        for one in budgets_of(session, [node.id], now)
    ]


def _months(session: Session, node: Node, principal: Principal) -> list[MonthSettled] | None:
    if node.id not in nodes_under(session, principal, Permission.BILLING_READ):
        return None
    return [
        MonthSettled(
            month=one.month,
            currency=one.currency,
            estimate=f"{one.estimate:f}",
            actual=f"{one.actual:f}",
            difference=f"{one.actual - one.estimate:f}",
            foretold=f"{one.foretold:f}",
            charges=one.charges,
            billed_through=one.billed_through,
        )
        for one in months_of(session, node.id)
    ]


def _status(one: Status) -> ResourceStatus:
    def amount(value: int) -> Amount:
        return Amount(value=value, quantity=show_amount(one.resource, value))

    def limit(value: int | None) -> Amount | None:
        return None if value is None else amount(value)

    return ResourceStatus(
        resource=one.resource,
        hard=limit(one.hard),
        held=amount(one.held),
        used=amount(one.used),
        kept=amount(one.kept),
        available=limit(one.available),
        borrowed=amount(one.borrowed),
        borrowing_limit=limit(one.borrowing),
        lending_limit=limit(one.lending),
        allowance=amount(one.allowance),
        rule=one.rule,
    )
