"""Allowances whose time is over: the ledger ends them, and whoever they were for is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from governance.change.decide import reviews_of
from governance.change.tables import ChangeRequest, Grant
from governance.change.tally import newest
from governance.change.telling import tell
from governance.db.session import transaction
from governance.identity.organisation import owner_of, path_of
from governance.identity.tables import Node, Person
from governance.quota.limits import Ended, end_allowances


def end_due(engine: Engine, now: datetime) -> int:
    """End what is due, and tell of it in the same transaction. Returns how many allowances ended."""
    with transaction(engine) as session:
        ended = end_allowances(session, now)
        of_grant: dict[UUID, list[Ended]] = defaultdict(list)
        for one in ended:
            of_grant[one.grant_id].append(one)
        for grant_id, allowances in of_grant.items():
            _tell(session, session.get_one(Grant, grant_id), allowances, now)
        return len(ended)


def _tell(session: Session, grant: Grant, ended: Sequence[Ended], now: datetime) -> None:
    """Whoever asked, and who owns the project and each node whose limit it may no longer exceed; one message each."""
    change = session.get_one(ChangeRequest, grant.change_id)
    requester = session.get_one(Person, change.requester_id)
    nodes = dict.fromkeys((change.project_id, *(UUID(one.standing.node_id) for one in ended)))
    found = [owner_of(session, path_of(session, node)) for node in nodes]
    owners = [one[0] for one in found if one is not None]
    more = {
        "valid_until": grant.valid_until.isoformat(),
        "who": ", ".join(_approvers(session, change)) or f"{requester.display_name} (in an emergency)",
        "allowed": _rows(session, ended),
    }
    tell(session, change, "allowance.ended", [requester, *owners], now, more)


def _approvers(session: Session, change: ChangeRequest) -> list[str]:
    said = newest(reviews_of(session, change.id))
    approved = [person for person, review in said.items() if review.verdict == "approve"]
    query = select(Person.display_name).where(col(Person.id).in_(approved)).order_by(Person.display_name)
    return list(session.exec(query))


def _rows(session: Session, ended: Iterable[Ended]) -> list[dict[str, Any]]:
    """For each node and resource what was allowed, and how it stands without it."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in ended:
        at = one.standing
        title = session.get_one(Node, UUID(at.node_id)).title
        fresh = {"node": title, "resource": at.resource, "amount": 0, "used": at.used, "limit": at.limit}
        row = rows.setdefault((at.node_id, at.resource), fresh)
        row["amount"] += one.amount
    return list(rows.values())
