"""The facts of one admission, read in one statement: one round trip, one snapshot, no locks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Engine, bindparam, select
from sqlmodel import Session, col

from governance.admission.digest import asked_name
from governance.admission.document import ApprovalRuleFact, FreezeFact, NodeFact
from governance.admission.model import Request
from governance.admission.tables import DecisionRow
from governance.budget.facts import BudgetFact, budgets_from, budgets_select
from governance.change.freezes import freezes_select, rules_select
from governance.change.grants import grants_select
from governance.compliance.model import Requirement, Standing, digest_in, new_images, strictest
from governance.compliance.standing import (
    requirements_from,
    requirements_select,
    standings_from,
    standings_select,
)
from governance.db import together
from governance.db.elements import among, database_now, keys_in
from governance.db.tables import Counter
from governance.db.together import Rows
from governance.identity.tables import Node, PersonIdentity
from governance.quota.facts import facts_parameters, facts_selects, known_from
from governance.quota.model import CLAIM, Known, claim_key
from governance.quota.plan import ObjectRef
from governance.quota.tables import Binding

_PATH = (
    select(col(Binding.path))
    .where(col(Binding.scope) == bindparam("scope"), col(Binding.name) == bindparam("namespace"))
    .scalar_subquery()
)

_FACTS = together.together(
    "admission_facts",
    {
        **facts_selects(),
        "nodes": select(col(Node.id), col(Node.kind), col(Node.name), col(Node.environment), col(Node.labels)).where(
            among(col(Node.id), keys_in(_PATH))
        ),
        "person": select(col(PersonIdentity.person_id)).where(
            col(PersonIdentity.provider) == bindparam("provider"), col(PersonIdentity.subject) == bindparam("actor")
        ),
        "revision": select(col(Counter.value)).where(col(Counter.name) == "config_revision"),
        "replay": select(col(DecisionRow.id), col(DecisionRow.digest), col(DecisionRow.charge_id)).where(
            col(DecisionRow.scope) == bindparam("scope"),
            col(DecisionRow.request_uid) == bindparam("request_uid"),
            col(DecisionRow.outcome) == "allow",
        ),
        "grants": grants_select(bindparam("target")),
        "freezes": freezes_select(_PATH, database_now()),
        "approval_rules": rules_select(_PATH),
        "requirements": requirements_select(_PATH),
        "budgets": budgets_select(_PATH, database_now()),
        "standings": standings_select(bindparam("digests")),
    },
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at one instant of the database's clock."""

    at: datetime
    known: Known
    nodes: Mapping[str, NodeFact]
    person_id: UUID | None
    config_revision: int
    replay: Mapping[str, Any] | None  # the decision that allowed this very review, if there is one
    grants: tuple[Mapping[str, Any], ...]
    freezes: tuple[FreezeFact, ...]
    approval_rules: tuple[ApprovalRuleFact, ...]
    requirements: tuple[Requirement, ...]  # of checkpoints, one for each type
    budgets: tuple[BudgetFact, ...]
    standings: tuple[Standing, ...]  # the newest checkpoint for each digest that may be new, and type


def images_in(request: Request) -> tuple[str, ...]:
    """The container images that a request brings: those that did not stand in the object before.

    A scale brings none, for its template stands in the cluster already. What a cloud calls an image has no digest.
    """
    after, before = request.declaration, request.declaration_before
    if after is None or request.scale_to is not None or request.provider != "kubernetes":
        return ()
    return new_images(after.images, before.images if before else ())


def target_of(request: Request) -> str:
    """What is to be changed, known before any fact is: grants are read by it."""
    return f"{request.scope}/{request.kind}/{request.namespace}/{asked_name(request)}"


def ref_of(request: Request) -> ObjectRef:
    """The object of a request, as the ledger refers to it.

    A new object draws on its owner's charge only if one of the cluster's own controllers made it: anybody may write an
    owner into what they create, and call a claim as a StatefulSet would. If it is true, the watch moves the object.
    """
    trusted = request.controller_made or request.operation != "CREATE"
    owner_uid = request.owner.uid if request.owner and trusted else None
    declaration = request.declaration
    target = declaration.target if declaration else ""
    if request.kind == CLAIM and trusted:
        target = claim_key(request.namespace, request.name)
    return ObjectRef(
        scope=request.scope,
        namespace=request.namespace,
        name=request.name,
        kind=request.kind,
        uid=request.object_uid,
        owner_uid=owner_uid,
        target=target,
        claims=declaration.claims if declaration else None,
    )


def read(engine: Engine, request: Request, ends: float = inf) -> Facts:
    """Read the facts of one request, giving up at `ends` (monotonic clock). Raises DatabaseUnavailable."""
    return _facts(*together.read(engine, _FACTS, _parameters(request), ends))


def read_in(session: Session, request: Request) -> Facts:
    """The same in the caller's transaction."""
    return _facts(*together.fetch(session, _FACTS, _parameters(request)))


def _parameters(request: Request) -> dict[str, str]:
    return {
        **facts_parameters(ref_of(request)),
        "provider": request.provider,
        "actor": request.actor,
        "request_uid": request.uid,
        "target": target_of(request),
        "digests": orjson.dumps(sorted({digest_in(one) for one in images_in(request)} - {""})).decode(),
    }


def _facts(at: datetime, rows: Rows) -> Facts:
    known = known_from(rows)
    path = known.binding.path if known.binding else ()
    return Facts(
        at=at,
        known=known,
        nodes={
            str(row["id"]): NodeFact(str(row["id"]), row["kind"], row["name"], row["environment"], row["labels"])
            for row in rows["nodes"]
        },
        person_id=next((row["person_id"] for row in rows["person"]), None),
        config_revision=next((row["value"] for row in rows["revision"]), 0),
        replay=next(iter(rows["replay"]), None),
        grants=tuple(rows["grants"]),
        freezes=tuple(
            FreezeFact(row["calendar"], row["summary"], tuple(row["environments"]), row["ends_at"])
            for row in rows["freezes"]
        ),
        approval_rules=tuple(
            ApprovalRuleFact(row["name"], str(row["node_id"]), row["when"], row["require"])
            for row in rows["approval_rules"]
        ),
        requirements=strictest(requirements_from(rows["requirements"], path)),
        budgets=budgets_from(rows["budgets"]),
        standings=standings_from(rows["standings"]),
    )
