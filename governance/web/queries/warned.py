"""The clusters that were switched to warn, for whoever has a namespace there."""

from __future__ import annotations

from sqlmodel import Session, col, select

from governance.identity.model import Permission
from governance.operations.clusters import warned_of
from governance.quota.tables import Cluster, Namespace
from governance.web.reader import Nodes, Reader
from governance.web.views.parts import Warned


def warned(session: Session, nodes: Nodes, reader: Reader) -> tuple[Warned, ...]:
    """The switches that hold now in clusters where something of the reader's may run."""
    visible = nodes.visible(reader.principal, Permission.QUOTA_READ)
    here = select(Namespace.cluster).where(col(Namespace.project_id).in_(visible))
    rows = session.exec(
        select(Cluster).where(Cluster.mode == "warn", col(Cluster.name).in_(here)).order_by(Cluster.name)
    )
    return tuple(
        Warned(f"{row.name} denies nothing now.", reader.deadline(one.until), one.by, one.reason)
        for row in rows
        if (one := warned_of(row, reader.now)) is not None
    )
