"""What providers call the things that charges pay for: noted when they come to be, so that a bill finds its charge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlmodel import Session, col

from governance.db.insert import insert_into
from governance.db.types import new_id
from governance.quota.tables import ChargeObject, ChargeResource


@dataclass(frozen=True, slots=True)
class Resource:
    """A thing of a provider. `id` is normalised, as `ChargeResource.resource_id` has it."""

    provider: str
    account: str
    id: str
    role: str
    region: str = ""
    machine: str = ""


def charge_of(session: Session, scope: str, uid: str) -> UUID | None:
    """The charge that an object is in; None if the ledger does not know the object."""
    found: UUID | None = session.scalar(
        select(col(ChargeObject.charge_id)).where(col(ChargeObject.scope) == scope, col(ChargeObject.uid) == uid)
    )
    return found


def is_gone(session: Session, scope: str, uid: str) -> bool:
    """Whether the ledger knows that an object was, and is no more."""
    of_it = (col(ChargeObject.scope) == scope, col(ChargeObject.uid) == uid)
    return bool(session.scalar(select(col(ChargeObject.gone)).where(*of_it)))


def link(session: Session, charge_id: UUID, resource: Resource, since: datetime) -> None:
    """Note that a charge pays for a resource; a repeat changes nothing."""
    row = {
        "id": new_id(),
        "charge_id": charge_id,
        "provider": resource.provider,
        "account": resource.account,
        "resource_id": resource.id,
        "role": resource.role,
        "region": resource.region,
        "machine": resource.machine,
        "valid_from": since,
    }
    session.connection().execute(insert_into(session, ChargeResource).on_conflict_do_nothing(), row)


def unlink(session: Session, charge_id: UUID, until: datetime) -> None:
    """Note that what a charge paid for is no more; the earliest end counts."""
    mine = update(ChargeResource).where(
        col(ChargeResource.charge_id) == charge_id,
        or_(col(ChargeResource.valid_to).is_(None), col(ChargeResource.valid_to) > until),
    )
    session.connection().execute(mine.values(valid_to=until))
