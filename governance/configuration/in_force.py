"""Reading the configuration in force, or as an earlier revision left it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, desc, or_, select

from governance.configuration.model import Manifest, Manifests
from governance.configuration.specs import Spec
from governance.configuration.tables import ConfigItem, ConfigRevision


def revision_in_force(session: Session) -> int:
    """The number of the newest revision; 0 when nothing was applied yet."""
    newest = session.exec(select(ConfigRevision.number).order_by(desc(col(ConfigRevision.number))).limit(1)).first()
    return newest or 0


def items_at(session: Session, revision: int | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    """Canonical specs by kind and name, in force now or as that revision left them."""
    query = select(ConfigItem).order_by(ConfigItem.kind, ConfigItem.name)
    until = col(ConfigItem.to_revision)
    if revision is None:
        query = query.where(until.is_(None))
    else:
        query = query.where(ConfigItem.from_revision <= revision, or_(until.is_(None), until > revision))
    rows = session.exec(query)
    return {(row.kind, row.name): row.spec for row in rows}


def manifests_in_force(session: Session, kinds: Mapping[str, type[Spec]]) -> Manifests:
    """The manifests of these kinds that are in force."""
    valid = col(ConfigItem.to_revision).is_(None)
    rows = session.exec(select(ConfigItem).where(valid, col(ConfigItem.kind).in_(list(kinds))))
    return Manifests(Manifest(row.kind, row.name, kinds[row.kind].model_validate(row.spec), row.spec) for row in rows)
