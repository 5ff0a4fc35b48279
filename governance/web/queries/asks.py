"""The page on which a change is asked for: what was denied, exactly as it was asked."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlmodel import Session

from governance.admission.asking import denial_of
from governance.admission.tables import DecisionRow
from governance.change.circle import circle_of, nobody_can
from governance.change.model import WINDOW_MAX, Denial, show_number
from governance.change.submit import needs_of, open_change
from governance.errors import BadInput, NotFound
from governance.identity.model import Permission, allows
from governance.web.queries.decisions import find_decision
from governance.web.queries.denied import denied_view
from governance.web.queries.emergencies import breaks_glass, urgent_line
from governance.web.queries.needs import asked_needs
from governance.web.reader import Nodes, Reader, nodes_of
from governance.web.views.change import AskPage
from governance.web.views.parts import Problem

_USUAL = timedelta(days=7)


def ask_page(
    session: Session,
    reader: Reader,
    decision_id: str,
    *,
    reason: str = "",
    reference: str = "",
    until: str = "",
    problems: tuple[Problem, ...] = (),
) -> AskPage:
    """What was denied, why, who would have to approve, and what was typed so far. Nothing is written.

    Raises:
        NotFound, Forbidden: no such decision, or not for this reader. BadInput: it denied nothing.
    """
    nodes = nodes_of(session)
    row = find_decision(session, decision_id, nodes, reader)
    denial = denial_of(session, row)
    needs = needs_of(session, denial)
    circle = circle_of(session, needs, reader.principal.person_id, denial.actor_id, reader.now)
    existing = open_change(session, denial.digest)
    name = show_number(existing.number) if existing else ""
    today = reader.now.astimezone(reader.zone).date()
    return AskPage(
        denied=denied_view(session, row, denial, nodes, reader),
        sentence=_sentence(row, denial.asks.what, reader),
        needs=asked_needs(needs, circle, nodes),
        may=_why_not(row, denial, nodes, reader) or nobody_can(needs, circle),
        existing=name,
        existing_href=f"/changes/{name}" if name else "",
        urgent=urgent_line(session, denial, reader) if denial.askable else "",
        urgent_href=f"/ask/{row.id}/emergency" if denial.askable and breaks_glass(denial, nodes, reader) else "",
        reason=reason,
        reference=reference,
        until=until or (today + _USUAL).isoformat(),
        until_min=today.isoformat(),
        until_max=(today + WINDOW_MAX - timedelta(days=1)).isoformat(),
        problems=problems,
    )


def _sentence(row: DecisionRow, what: str, reader: Reader) -> str:
    who = "You" if row.person_id == reader.principal.person_id else row.actor
    return f"{who} asked for {what}, and it was denied."


def _why_not(row: DecisionRow, denial: Denial, nodes: Nodes, reader: Reader) -> str:
    if not denial.askable:
        return "No approval can answer this denial: change the request so that it keeps to the rules that it broke."
    mine = row.person_id == reader.principal.person_id
    if not mine and not allows(reader.principal, Permission.CHANGE_ASK, row.path):
        return (
            f"You may not ask for changes in {nodes.label(denial.project_id)}. "
            "Ask somebody who may, or an administrator for the role requester there."
        )
    return ""


def end_of(day: str, reader: Reader, field: str = "until") -> datetime:
    """The end of a day in the reader's zone, as an instant. Raises BadInput that names the field."""
    try:
        chosen = date.fromisoformat(day)
        return datetime.combine(chosen + timedelta(days=1), time(), reader.zone)
    except (ValueError, OverflowError):
        raise BadInput("This is not a day.", field=field, remedy="Write it like 2026-11-30.") from None


def decision_id_of(text: str) -> UUID:
    """The id in a link. Raises NotFound: a link that was cut leads nowhere."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(
            "There is no such decision.", field="decision", remedy="Take the link from the answer again."
        ) from None
