"""The jobs of billing, as workers do them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from billing.allocate import allocate
from billing.importing import Origin, Switched, executions_in_force, switch, texts
from billing.months import open_month
from billing.settle import settle
from billing.sources import aws, focus
from billing.store import Store, StoreUnavailable, sha256_of, sha256_of_all
from governance.db.session import reading, transaction
from governance.identity.tables import Person
from governance.jobs.work import Doing, Handler, Refused
from governance.units import Period

IMPORT_FOCUS = "billing.import.focus"
SYNC_AWS = "billing.sync.aws"
ALLOCATE = "billing.allocate"


def handlers(store: Store) -> dict[str, Handler]:
    """What a worker can do, by the kind of the job."""
    return {
        IMPORT_FOCUS: lambda doing: import_focus(store, doing),
        SYNC_AWS: lambda doing: sync_aws(store, doing),
        ALLOCATE: lambda doing: allocate_month(store, doing),
    }


def import_focus(store: Store, doing: Doing) -> Mapping[str, Any]:
    """Import a FOCUS file that somebody sent, and settle the months that it tells of.

    Parameters of the job: `incoming`, the file in the store; `name`, what it was called; `source`.
    """
    file = store.incoming(doing.parameters["incoming"])
    if not file.is_file():
        raise StoreUnavailable(f"{file.name} is not in the store.", remedy="Send it again.")
    doing.tell("reading", 0, 3)
    origin = Origin(doing.parameters["source"], "", sha256_of(file))
    parts = focus.read(store, focus.Sent(file, doing.parameters["name"]))
    switched = _switched(doing, origin, parts)
    _reckon(store, doing, [Period.parse(part.period) for part in parts])
    return {"periods": [_told(one) for one in switched]}


def sync_aws(store: Store, doing: Doing) -> Mapping[str, Any]:
    """Import what a FOCUS export on S3 holds: each month whose execution is another one than that in force.

    Parameters of the job: `bucket`, `prefix`, `source`. A month is switched whole; one that is refused stops the job,
    and what was in force of it stays so.
    """
    source, export = doing.parameters["source"], doing.parameters["prefix"]
    s3 = aws.client()
    doing.tell("listing", 0, 0)
    found = aws.executions(s3, doing.parameters["bucket"], export)
    with reading(doing.engine) as session:
        known = executions_in_force(session, source, export)
    told = []
    for number, one in enumerate(found):
        if known.get(one.period) == one.execution_id:
            continue
        doing.tell(f"fetching {one.period}", number, len(found))
        with store.scratch() as folder:
            files = aws.fetch(s3, one, folder)
            origin = Origin(source, export, sha256_of_all(files), one.execution_id)
            doing.tell(f"reading {one.period}", number, len(found))
            parts = focus.read(store, *(focus.Sent(file, file.name) for file in files))
        if [part.period for part in parts] != [one.period]:
            periods = ", ".join(part.period for part in parts) or "no month"
            raise Refused(f"{one.manifest} tells of {periods}.", [], remedy="Look at the export; nothing was imported.")
        told += [_told(switched) for switched in _switched(doing, origin, parts)]
        _reckon(store, doing, [Period.parse(one.period)])
    return {"periods": told, "unchanged": len(found) - len(told)}


def _switched(doing: Doing, origin: Origin, parts: Sequence[focus.Part]) -> Sequence[Switched]:
    doing.tell("putting in force", 0, 0)
    with transaction(doing.engine) as session:
        actor = session.get_one(Person, doing.created_by)
        return switch(session, origin, parts, by=actor.id, actor=actor.name, now=doing.now())


def _told(one: Switched) -> dict[str, Any]:
    return {
        "period": one.part.period,
        "lines": one.part.lines,
        "changed": one.changed,
        "totals": texts(one.part.totals),
    }


def allocate_month(store: Store, doing: Doing) -> Mapping[str, Any]:
    """Settle and allocate a month anew: rules, or charges, are other than when its lines came. Parameter: `period`."""
    made = _reckon(store, doing, [Period.parse(doing.parameters["period"])])
    return {"changed": sorted(made)}


def _reckon(store: Store, doing: Doing, periods: Sequence[Period]) -> set[str]:
    """Settle these months and allocate them; a closed one is corrected in the open month after it.

    Returns:
        the months whose allocation is another one now.
    """
    made = set()
    for number, period in enumerate(periods):
        doing.tell(f"settling {period}", number, len(periods))
        settle(doing.engine, store, period, doing.now())
    with reading(doing.engine) as session:
        targets = sorted({open_month(session, period) for period in periods})
    for number, period in enumerate(targets):
        doing.tell(f"allocating {period}", number, len(targets))
        if allocate(doing.engine, store, period, doing.now()) is not None:
            made.add(str(period))
    return made
