"""What an admission reads of checkpoints, as part of its one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlmodel import col

from governance.compliance.model import Newest, Requirement
from governance.compliance.tables import CheckpointHead, CheckpointRule
from governance.db.elements import among, keys_in, texts_in


def requirements_select(path: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """What is required on a path. `path`: SQL that yields a JSON list of node ids."""
    columns = (
        col(CheckpointRule.node_id),
        col(CheckpointRule.types),
        col(CheckpointRule.environments),
        col(CheckpointRule.max_age_days),
    )
    return select(*columns).where(among(col(CheckpointRule.node_id), keys_in(path))).order_by(col(CheckpointRule.name))


def heads_select(digests: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """The newest checkpoint of each type. `digests`: SQL that yields a JSON list of them."""
    columns = (
        col(CheckpointHead.type),
        col(CheckpointHead.digest),
        col(CheckpointHead.result),
        col(CheckpointHead.at),
        col(CheckpointHead.until),
    )
    return select(*columns).where(among(col(CheckpointHead.digest), texts_in(digests)))


def requirements_from(rows: Iterable[Mapping[str, Any]], path: Iterable[str]) -> tuple[Requirement, ...]:
    """The rows as they were read, the nearest department's first; each node stands by its id."""
    by_node: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_node.setdefault(str(row["node_id"]), []).append(row)
    return tuple(
        Requirement(
            type=type_,
            node=node,
            environments=tuple(row["environments"]),
            max_age=timedelta(days=row["max_age_days"]) if row["max_age_days"] is not None else None,
        )
        for node in path
        for row in by_node.get(node, ())
        for type_ in row["types"]
    )


def newest_from(rows: Iterable[Mapping[str, Any]]) -> tuple[Newest, ...]:
    """The rows as they were read."""
    return tuple(Newest(**row) for row in rows)
