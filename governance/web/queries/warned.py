"""The clusters that deny nothing now, for whoever has a namespace there: switched to warn, or still observing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from governance.identity.model import Permission
from governance.operations.clusters import warned_of
from governance.quota.tables import Binding, Scope
from governance.web.reader import Nodes, Reader
from governance.web.views.parts import Warned


def warned(session: Session, nodes: Nodes, reader: Reader) -> tuple[Warned, ...]:
    """The switches that hold now in clusters where something of the reader's may run."""
    return tuple(
        Warned(f"{row.name} denies nothing now.", reader.deadline(one.until), one.by, one.reason)
        for row in _here(session, nodes, reader, "warn")
        if (one := warned_of(row, reader.now)) is not None
    )


def observed(session: Session, nodes: Nodes, reader: Reader) -> tuple[str, ...]:
    """The clusters where something of the reader's may run, and nothing is denied until all of it is charged."""
    return tuple(row.name for row in _here(session, nodes, reader, "observe"))


def _here(session: Session, nodes: Nodes, reader: Reader, mode: str) -> Sequence[Scope]:
    visible = nodes.visible(reader.principal, Permission.QUOTA_READ)
    here = select(Binding.scope).where(col(Binding.project_id).in_(visible))
    clusters = select(Scope).where(Scope.mode == mode, col(Scope.name).in_(here))
    return session.exec(clusters.order_by(Scope.name)).all()
