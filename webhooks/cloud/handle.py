"""One event made into what it means: decided like every other request, then recorded, for it has happened already.

A cloud tells of what exists: a denial cannot stop it, so it is observed above the limit, and the breach shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from governance.admission.admit import admit
from governance.admission.judge import Admission
from governance.admission.model import Request
from governance.admission.settled import settle_grants
from governance.clock import Clock
from governance.db.session import reading, transaction
from governance.identity.organisation import currency_of
from governance.pricing.model import credits_of
from governance.pricing.prices import price_now
from governance.quota.model import Declaration
from governance.quota.observe import observe
from governance.quota.plan import ObjectRef, Observation
from governance.quota.resources import Resource, charge_of, is_gone, link, unlink
from governance.quota.tables import Binding, Charge, Scope
from governance.units import ResourceList
from webhooks.cloud import eventbridge
from webhooks.cloud.event import Event
from webhooks.cloud.happening import Ended, Launched
from webhooks.cloud.inbox import NotYet
from webhooks.cloud.machines import Machine

_UNANSWERED = frozenset({"policy-unavailable", "database-unavailable", "contended", "overloaded"})
_END_OF_TIME = str(2**62)  # the version of an ending: whatever is told of the machine later, or again, is older
_GB = 10**9


@dataclass(frozen=True, slots=True)
class Handling:
    """What the handling of events needs, made once at start. `machines`: the machine types of each provider."""

    admission: Admission
    machines: Mapping[str, Mapping[str, Machine]]
    now: Clock

    @property
    def engine(self) -> Engine:
        return self.admission.engine


def handle(what: Handling, event: Event) -> str:
    """Make of an event what it means. The same event again changes nothing.

    Returns:
        what became of it, in a sentence.

    Raises:
        BadInput: it cannot be understood; names the field.
        NotYet: an account that is not described, an ending before its launch, a part that does not answer.
        DatabaseUnavailable: it was not recorded.
    """
    happenings = eventbridge.happenings(event) if event.provider == "aws" else ()
    if not happenings:
        return "nothing that is charged changed"
    told = [_launched(what, one) if isinstance(one, Launched) else _ended(what, one) for one in happenings]
    return "; ".join(told)


def _launched(what: Handling, launch: Launched) -> str:
    with reading(what.engine) as session:
        if is_gone(session, launch.scope, launch.uid):
            return f"{launch.name} is no more"
        price = _price(session, launch, what.now())
    part = _part(what.engine, launch)
    declaration = _declaration(launch, what.machines[launch.provider].get(launch.machine), price)
    request = _request(launch, part, declaration, known=launch.machine in what.machines[launch.provider])
    decision = admit(what.admission, request)
    if any(one.code in _UNANSWERED for one in decision.violations):
        raise NotYet(decision.sentences[0])
    ref = ObjectRef(launch.scope, part, launch.name, launch.kind, launch.uid)
    seen = Observation(ref, _version(launch.at), declaration)
    now = what.now()
    observe(what.engine, seen, now=now, on_settled=settle_grants(now))
    with transaction(what.engine) as session:
        charge = charge_of(session, launch.scope, launch.uid)
        if charge is not None:
            thing = Resource(
                launch.provider, launch.scope, launch.resource_id, "machine", launch.region, launch.machine
            )
            link(session, charge, thing, launch.at)
            _decided_by(session, charge, decision.id)
    verdict = "allowed" if decision.allowed else "observed above what was allowed"
    return f"{launch.name} {verdict} by decision {decision.id}"


def _decided_by(session: Session, charge: UUID, decision: UUID) -> None:
    """Say which decision a charge leads back to, where it has none: what was refused is there all the same."""
    missing = update(Charge).where(col(Charge.id) == charge, col(Charge.decision_id).is_(None))
    session.execute(missing.values(decision_id=decision))


def _ended(what: Handling, end: Ended) -> str:
    with reading(what.engine) as session:
        charge = charge_of(session, end.scope, end.uid)
    if charge is None:
        raise NotYet(f"the launch of {end.uid} is not known")
    ref = ObjectRef(end.scope, "", end.uid, end.kind, end.uid)
    now = what.now()
    observe(what.engine, Observation(ref, _END_OF_TIME), now=now, on_settled=settle_grants(now))
    with transaction(what.engine) as session:
        unlink(session, charge, end.at)
    return f"{end.uid} ended"


def _part(engine: Engine, launch: Launched) -> str:
    """The binding that pays for a launch: by a tag, else by the resource group, else for all the rest of the account.

    Where several tags match and do not agree who pays, nobody does, until the manifests say clearly who.

    Raises:
        NotYet: the account is not described.
    """
    with reading(engine) as session:
        if session.get(Scope, launch.scope) is None:
            raise NotYet(f"{launch.provider} account {launch.scope} is not in the configuration")
        rows = session.exec(select(Binding).where(Binding.scope == launch.scope).order_by(col(Binding.name))).all()
    tagged = [one for one in rows if "key" in one.labels and launch.tags.get(one.labels["key"]) == one.labels["value"]]
    grouped = [one for one in rows if launch.group and one.labels.get("group") == launch.group]
    rest = [one for one in rows if not one.labels]
    matching = tagged or grouped or rest
    payers = {(one.project_id, one.exempt) for one in matching}
    return matching[0].name if len(payers) == 1 else "unbound"


def _price(session: Session, launch: Launched, now: datetime) -> int:
    """What a month of it is reserved for, in the ledger's own currency, the root's; 0 where no price is known."""
    found = price_now(session, (launch.provider, launch.region, launch.machine), currency_of(session), now)
    return credits_of(found.per_hour) if found else 0


def _declaration(launch: Launched, machine: Machine | None, price: int) -> Declaration:
    taken = (machine.footprint() if machine else ResourceList()) + ResourceList({"credits": price})
    disks = ResourceList({"requests.storage": launch.disks_gb * _GB, "count/instances.ec2": 1})
    made_of = {"image": launch.image, "machine": launch.machine}
    return Declaration(
        kind=launch.kind,
        replicas=1,
        unit=taken,
        fixed=disks,
        template=hashlib.sha256(orjson.dumps(made_of, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        images=(launch.image,) if launch.image else (),
    )


def _request(launch: Launched, part: str, declaration: Declaration, *, known: bool) -> Request:
    changes = {"instanceType": launch.machine, "imageId": launch.image, "region": launch.region}
    return Request(
        door="cloud",
        provider=launch.provider,
        scope=launch.scope,
        uid=f"{launch.event}/{launch.uid}",
        actor=launch.actor,
        groups=(),
        operation="CREATE",
        kind=launch.kind,
        subresource="",
        namespace=part,
        name=launch.name,
        object_uid=launch.uid,
        resource_version="",
        owner=None,
        declaration=declaration,
        declaration_before=None,
        changes={**changes, "disksGb": launch.disks_gb} if launch.disks_gb else changes,
        name_prefix="i-",  # the cloud makes the name, so it is no part of what is asked
        unknown="" if known else f"{launch.machine} is no machine type that this version knows",
    )


def _version(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))
