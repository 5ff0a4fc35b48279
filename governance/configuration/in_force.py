"""Reading the configuration in force, or as an earlier revision left it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlmodel import Session, col, desc, or_, select

from governance.configuration.model import Manifest, Manifests
from governance.configuration.specs import Spec
from governance.configuration.tables import ConfigItem, ConfigRevision


def revision_in_force(session: Session) -> int:
    """The number of the newest revision; 0 when nothing was applied yet."""
    newest = session.exec(select(ConfigRevision.number).order_by(desc(col(ConfigRevision.number))).limit(1)).first()
    return newest or 0


def items_at(
    session: Session, revision: int | None = None, kinds: Iterable[str] | None = None
) -> dict[tuple[str, str], dict[str, Any]]:
    """Canonical specs by kind and name, in force now or as that revision left them; of these kinds, or of all."""
    query = select(ConfigItem).order_by(ConfigItem.kind, ConfigItem.name)
    if kinds is not None:
        query = query.where(col(ConfigItem.kind).in_(list(kinds)))
    until = col(ConfigItem.to_revision)
    if revision is None:
        query = query.where(until.is_(None))
    else:
        query = query.where(ConfigItem.from_revision <= revision, or_(until.is_(None), until > revision))
    rows = session.exec(query)
    return {(row.kind, row.name): row.spec for row in rows}


def manifests_at(session: Session, kinds: Mapping[str, type[Spec]], revision: int | None = None) -> Manifests:
    """The manifests of these kinds, in force now or as that revision left them."""
    found = items_at(session, revision, kinds)
    return Manifests(
        Manifest(kind, name, kinds[kind].model_validate(spec), spec) for (kind, name), spec in found.items()
    )
