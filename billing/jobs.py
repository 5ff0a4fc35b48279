"""The jobs of billing, as workers do them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from billing.allocate import allocate
from billing.importing import Origin, switch, texts
from billing.months import open_month
from billing.settle import settle
from billing.sources import focus
from billing.store import Store, StoreUnavailable, sha256_of
from governance.db.session import reading, transaction
from governance.identity.tables import Person
from governance.jobs.work import Doing, Handler
from governance.units import Period

IMPORT_FOCUS = "billing.import.focus"
ALLOCATE = "billing.allocate"


def handlers(store: Store) -> dict[str, Handler]:
    """What a worker can do, by the kind of the job."""
    return {
        IMPORT_FOCUS: lambda doing: import_focus(store, doing),
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
    parts = focus.read(store, file, doing.parameters["name"])
    doing.tell("putting in force", 1, 3)
    with transaction(doing.engine) as session:
        actor = session.get_one(Person, doing.created_by)
        switched = switch(session, origin, parts, by=actor.id, actor=actor.name, now=doing.now())
    _reckon(store, doing, [Period.parse(part.period) for part in parts])
    return {
        "periods": [
            {
                "period": one.part.period,
                "lines": one.part.lines,
                "changed": one.changed,
                "totals": texts(one.part.totals),
            }
            for one in switched
        ]
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
