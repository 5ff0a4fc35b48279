"""What requests about bills name, and how amounts are told: decimal numbers as text."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from sqlmodel import Session

from billing.invoices import Clerk
from governance.api.visible import nodes_under
from governance.audit.log import record
from governance.db.session import transaction
from governance.errors import NotFound
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal
from governance.identity.organisation import node_named
from governance.identity.tables import Node

MONTH = r"^2[0-9]{3}-(0[1-9]|1[0-2])$"
AMOUNT = r"^-?[0-9]{1,15}(\.[0-9]{1,12})?$"

Importer = Annotated[Principal, Depends(requires(Permission.BILLING_IMPORT))]
Reader = Annotated[Principal, Depends(requires(Permission.BILLING_READ))]
Closer = Annotated[Principal, Depends(requires(Permission.BILLING_CLOSE))]
NodeName = Annotated[
    str, Query(min_length=1, max_length=100, description="A department's or project's name, or an id.")
]
Month = Annotated[str, Query(pattern=MONTH, description="A month: 2026-11.")]
MonthPath = Annotated[str, Path(pattern=MONTH, description="A month: 2026-11.")]


def visible_node(session: Session, principal: Principal, name: str) -> Node:
    """A node whose bills the principal may see. Raises NotFound; what may not be seen is not there."""
    node = node_named(session, name)
    if node.id not in nodes_under(session, principal, Permission.BILLING_READ):
        raise NotFound(f"There is no department or project {name}.", field="node")
    return node


def tell_read(request: Request, principal: Principal, what: str, name: str) -> None:
    """Financial reads are audited."""
    with transaction(request.app.state.engine) as session:
        where: dict[str, Any] = {"request_id": request_id_of(request), "at": request.app.state.clock()}
        record(session, principal.name, "billing.read", what, name, **where)


def clerk_of(request: Request, principal: Principal) -> Clerk:
    """Who acts, for the audit log."""
    return Clerk(principal.person_id, principal.name, request_id_of(request))


def text(amount: Decimal) -> str:
    """An amount with every digit."""
    return f"{amount:f}"
