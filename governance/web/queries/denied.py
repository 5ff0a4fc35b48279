"""What was denied, for the pages that lead on from it: the way to ask, and the way to act at once."""

from __future__ import annotations

from sqlmodel import Session

from governance.admission.tables import DecisionRow
from governance.change.model import Denial
from governance.web.queries.decisions import BADGES, SHORT_ID, differences_of, request_facts
from governance.web.queries.meters import path_meters
from governance.web.reader import Nodes, Reader
from governance.web.sentences import consequence, reasons
from governance.web.views.change import Denied


def denied_view(session: Session, row: DecisionRow, denial: Denial, nodes: Nodes, reader: Reader) -> Denied:
    """The denial with the limits that it touches, as they stand now."""
    asks, titles = denial.asks, nodes.titles()
    pressed, roomy = path_meters(session, nodes, reader, denial.project_id, asks.quota, adding=True)
    return Denied(
        decision=str(row.id)[-SHORT_ID:],
        decision_href=f"/decisions/{row.id}",
        status=BADGES[row.outcome],
        consequence=consequence(asks.quota, titles),
        differences=differences_of(asks.changes, asks.before, asks.after, row),
        facts=request_facts(row, nodes, reader),
        quotas=pressed,
        quotas_more=roomy,
        reasons=reasons(row.violations, titles),
    )
