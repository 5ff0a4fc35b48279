"""The jobs of billing, as workers do them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.importing import Origin, switch, texts
from billing.settle import settle
from billing.sources import focus
from billing.store import Store, StoreUnavailable, sha256_of
from governance.db.session import transaction
from governance.identity.tables import Person
from governance.jobs.work import Doing, Handler
from governance.units import Period

IMPORT_FOCUS = "billing.import.focus"


def handlers(store: Store) -> dict[str, Handler]:
    """What a worker can do, by the kind of the job."""
    return {IMPORT_FOCUS: lambda doing: import_focus(store, doing)}


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
    doing.tell("settling", 2, 3)
    for part in parts:
        settle(doing.engine, store, Period.parse(part.period), doing.now())
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
