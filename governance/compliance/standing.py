"""How digests stand: SELECTs that admission reads together with its other facts. They go by keys and indexes alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, select, true
from sqlmodel import col

from governance.compliance.model import Requirement, Standing
from governance.compliance.tables import Attestor, CheckpointRequirement, CheckpointRow
from governance.db.elements import among, keys_in, texts_in


def requirements_select(path: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """What the nodes of a path require.

    Args:
        path: SQL that yields a JSON list of node ids.
    """
    required = CheckpointRequirement
    return select(col(required.node_id), col(required.type), col(required.age_max_s)).where(
        among(col(required.node_id), keys_in(path))
    )


def standings_select(path: ColumnElement[Any], digests: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """The newest checkpoint for each of these digests and each type that a path requires.

    Only those count whose attestor may, today, attest that type: an attestor that is taken out of the configuration is
    believed no longer.

    Args:
        path: SQL that yields a JSON list of node ids.
        digests: SQL that yields a JSON list of digests.
    """
    row, required = CheckpointRow, CheckpointRequirement
    digest = texts_in(digests).subquery("asked_digest")
    of_path = select(col(required.type)).where(among(col(required.node_id), keys_in(path)))
    type_ = of_path.distinct().subquery("asked_type")
    believed = exists().where(col(Attestor.name) == col(row.attestor), col(Attestor.type) == col(row.type))
    newest = (
        select(col(row.id))
        .where(col(row.digest) == digest.c.value, col(row.type) == type_.c.type, believed)
        .order_by(col(row.at).desc(), col(row.result), col(row.id).desc())  # of the same moment, fail before pass
        .limit(1)
        .correlate(digest, type_)
        .scalar_subquery()
    )
    ids = select(newest).select_from(digest.join(type_, true()))
    columns = (col(row.type), col(row.digest), col(row.result), col(row.at), col(row.until))
    return select(*columns).where(among(col(row.id), ids))


def requirements_from(rows: Iterable[Mapping[str, Any]], path: Sequence[str]) -> list[Requirement]:
    """The values of `requirements_select`, the project's first, the root's last."""
    found = [
        Requirement(
            row["type"],
            str(row["node_id"]),
            None if row["age_max_s"] is None else timedelta(seconds=row["age_max_s"]),
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: path.index(one.node_id))


def standings_from(rows: Iterable[Mapping[str, Any]]) -> tuple[Standing, ...]:
    """The values of `standings_select`."""
    return tuple(Standing(row["type"], row["digest"], row["result"], row["at"], row["until"]) for row in rows)
