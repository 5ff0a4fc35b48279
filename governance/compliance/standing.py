"""How digests stand: SELECTs that admission reads together with its other facts. They go by keys and indexes alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, select
from sqlmodel import col

from governance.compliance.model import Requirement, Standing
from governance.compliance.tables import Attestor, CheckpointHead, CheckpointRequirement
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


def standings_select(digests: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """What each attestor stated last of each type for these digests.

    Only those count whose attestor may, today, attest that type: an attestor that is taken out of the configuration is
    believed no longer.

    Args:
        digests: SQL that yields a JSON list of digests.
    """
    head = CheckpointHead
    believed = exists().where(col(Attestor.name) == col(head.attestor), col(Attestor.type) == col(head.type))
    columns = (col(head.type), col(head.digest), col(head.result), col(head.at), col(head.until))
    return select(*columns).where(among(col(head.digest), texts_in(digests)), believed)


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
    """The values of `standings_select`, of each type and digest the newest: whoever stated it, and of the same moment
    the failure."""
    found: dict[tuple[str, str], Standing] = {}
    for row in rows:
        one = Standing(row["type"], row["digest"], row["result"], row["at"], row["until"])
        known = found.get((one.type, one.digest))
        if known is None or one.is_newer(known):
            found[one.type, one.digest] = one
    return tuple(found.values())
