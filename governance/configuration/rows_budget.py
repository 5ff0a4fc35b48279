"""Budgets become rows of the budget room."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlmodel import select

from governance.budget.tables import Budget as BudgetRow
from governance.configuration.model import Manifests, Problem
from governance.configuration.references import known
from governance.configuration.specs import Department, Project
from governance.configuration.specs_budget import Budget
from governance.configuration.writing import Writing, node_ids


def check(manifests: Manifests) -> Iterator[Problem]:
    """Every budget names a node, and a node has one budget in a currency."""
    departments, projects = manifests.specs(Department), manifests.specs(Project)
    seen: dict[tuple[str, str], str] = {}
    for name, (manifest, budget) in manifests.of(Budget).items():
        target = budget.for_
        yield from known(manifest, ("for", "department"), target.department, departments, "department")
        yield from known(manifest, ("for", "project"), target.project, projects, "project")
        node = str(target.department or target.project)
        first = seen.setdefault((node, budget.currency), name)
        if first != name:
            yield manifest.problem(("for",), f"{first} is {node}'s budget in {budget.currency} already.", "Remove one.")


def write(writing: Writing) -> None:
    """Make budgets as wanted."""
    session, nodes = writing.session, node_ids(writing.session)
    rows = {one.name: one for one in session.exec(select(BudgetRow))}
    wanted = writing.wanted.specs(Budget)
    for name, budget in wanted.items():
        values: dict[str, Any] = {
            "node_id": nodes[budget.for_.department or str(budget.for_.project)],
            "per_month": Decimal(budget.per_month),
            "currency": budget.currency,
            "reached": budget.reached,
        }
        row = rows.get(name)
        if row is None:
            session.add(BudgetRow(name=name, revision=writing.revision, **values))
        elif any(getattr(row, field) != value for field, value in values.items()):
            for field, value in {**values, "revision": writing.revision}.items():
                setattr(row, field, value)
            session.add(row)
    for name in rows.keys() - wanted.keys():
        session.delete(rows[name])
    session.flush()
