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
from governance.quota.tables import Binding, Charge, ChargeObject
from governance.quota.write import Moved, write


def misaligned(session: Session) -> list[ObjectRef]:
    """Autoscalers that count otherwise than policy now says, with the charges of what they scale locked.

    The bindings of their namespaces must be locked already: nobody writes in them meanwhile.
    """
    by, of = aliased(ChargeObject), aliased(ChargeObject)
    scaled = and_(col(of.scope) == col(by.scope), col(of.name_key) == col(by.name_key), col(of.kind) != AUTOSCALER)
    bound = and_(col(Binding.scope) == col(by.scope), col(Binding.name) == col(by.namespace))
    rows = session.execute(
        select(
            col(by.scope),
            col(by.namespace),
            col(by.name),
            col(by.uid),
            col(of.charge_id),
            col(of.maxima),
            col(Binding.autoscaling),
        )
        .join(of, scaled)
        .join(Binding, bound)
        .where(col(by.kind) == AUTOSCALER, col(by.gone).is_(False))
    )
    found = [row for row in rows if (row.uid in row.maxima) != (row.autoscaling == "maximum")]
    charges = {row.charge_id for row in found}
    if charges:
        session.execute(
            select(col(Charge.id)).where(col(Charge.id).in_(charges)).order_by(col(Charge.id)).with_for_update()
        )
    return [ObjectRef(row.scope, row.namespace, row.name, AUTOSCALER, row.uid) for row in found]


def realign(session: Session, autoscalers: Iterable[ObjectRef], now: datetime) -> None:
    """Charge what these scale as policy now says."""
    for ref in autoscalers:
        plan = realigned(read(session, ref), ref)
        charge_id = max((one.id for one in plan.charges if one.level), default=None)
        if isinstance(write(session, plan, now=now, forced=True, charge_id=charge_id), Moved):
            raise LedgerConflict(f"{ref.native_id} changed while it was charged anew.", remedy="Try again.")
