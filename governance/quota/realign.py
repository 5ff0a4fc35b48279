"""What policy now says of autoscalers, made true of the charges: observed, never refused; what is too much shows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import and_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from governance.errors import LedgerConflict
from governance.quota.facts import read
from governance.quota.model import AUTOSCALER
from governance.quota.plan import ObjectRef
from governance.quota.settle import realigned
from governance.quota.tables import Charge, ChargeObject, Namespace
from governance.quota.write import Moved, write


def misaligned(session: Session) -> list[ObjectRef]:
    """Autoscalers that count otherwise than policy now says, with the charges of what they scale locked.

    The bindings of their namespaces must be locked already: nobody writes in them meanwhile.
    """
    by, of = aliased(ChargeObject), aliased(ChargeObject)
    scaled = and_(col(of.cluster) == col(by.cluster), col(of.name_key) == col(by.name_key), col(of.kind) != AUTOSCALER)
    bound = and_(col(Namespace.cluster) == col(by.cluster), col(Namespace.name) == col(by.namespace))
    rows = session.execute(
        select(
            col(by.cluster),
            col(by.namespace),
            col(by.name),
            col(by.uid),
            col(of.charge_id),
            col(of.maxima),
            col(Namespace.autoscaling),
        )
        .join(of, scaled)
        .join(Namespace, bound)
        .where(col(by.kind) == AUTOSCALER, col(by.gone).is_(False))
    )
    found = [row for row in rows if (row.uid in row.maxima) != (row.autoscaling == "maximum")]
    charges = {row.charge_id for row in found}
    if charges:
        session.execute(
            select(col(Charge.id)).where(col(Charge.id).in_(charges)).order_by(col(Charge.id)).with_for_update()
        )
    return [ObjectRef(row.cluster, row.namespace, row.name, AUTOSCALER, row.uid) for row in found]


def realign(session: Session, autoscalers: Iterable[ObjectRef], now: datetime) -> None:
    """Charge what these scale as policy now says."""
    for ref in autoscalers:
        plan = realigned(read(session, ref), ref)
        charge_id = max((one.id for one in plan.charges if one.level), default=None)
        if isinstance(write(session, plan, now=now, forced=True, charge_id=charge_id), Moved):
            raise LedgerConflict(f"{ref.native_id} changed while it was charged anew.", remedy="Try again.")
