"""What becomes of a grant when the write that used it is seen, or is known to be lost."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from governance.change import grants
from governance.quota.observe import OnSettled
from governance.quota.plan import Settled


def settle_grants(now: datetime) -> OnSettled:
    """For `observe`: a grant whose write was seen is final, one whose write was lost is given back."""

    def settle(session: Session, one: Settled) -> None:
        if one.grant_id is not None:
            grants.settle(session, one.grant_id, one.charge_id, now, persisted=one.persisted)

    return settle
