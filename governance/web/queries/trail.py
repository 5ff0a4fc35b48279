"""What happened, as a timeline: from the audit log, in which every human act and every decision stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlmodel import Session, col, select

from governance.admission.tables import DecisionRow
from governance.audit.tables import AuditEvent
from governance.change.model import show_number
from governance.change.tables import ChangeRequest, Grant
from governance.identity.tables import Person
from governance.web.reader import Reader
from governance.web.sentences import reasons
from governance.web.views.parts import Event, Tone

_EVENTS_MAX = 200
_ACTS: Mapping[str, tuple[str, str, Tone]] = {
    "change.submit": ("send", "asked for the change.", "info"),
    "change.break_glass": ("alert-triangle", "acted at once, in an emergency.", "bad"),
    "change.approve": ("check", "approved.", "good"),
    "change.reject": ("x", "rejected.", "bad"),
    "change.question": ("message-question", "asked a question.", "info"),
    "change.answer": ("message-question", "answered.", "info"),
    "change.withdraw": ("arrow-back-up", "withdrew it.", "neutral"),
    "change.revoke": ("circle-x", "took the approval back.", "bad"),
    "change.supersede": ("history", "asked for other values instead.", "neutral"),
    "change.expire": ("hourglass", "closed it: its time ran out.", "neutral"),
    "change.finish": ("circle-check", "saw what was asked for on the cluster.", "good"),
    "change.give_back": ("arrow-back-up", "gave the approval back.", "caution"),
    "change.review": ("clipboard-check", "reviewed it afterwards.", "good"),
    "admission.allow": ("circle-check", "was allowed.", "good"),
    "admission.deny": ("circle-x", "was denied.", "bad"),
}
_OUR_OWN = {"governance": "This service"}


def events_of(session: Session, kind: str, subject: str, reader: Reader) -> tuple[Event, ...]:
    """The audit events of one subject, oldest first."""
    query = select(AuditEvent).where(AuditEvent.subject_kind == kind, AuditEvent.subject_id == subject)
    rows = session.exec(query.order_by(col(AuditEvent.at), col(AuditEvent.id)).limit(_EVENTS_MAX)).all()
    return views_of(session, rows, reader)


def views_of(session: Session, rows: Sequence[AuditEvent], reader: Reader) -> tuple[Event, ...]:
    """Audit events in words."""
    actors = {row.actor for row in rows}
    people = session.exec(select(Person).where(col(Person.name).in_(actors))).all() if actors else []
    names = _OUR_OWN | {one.name: one.display_name for one in people}
    return tuple(_view(row, names.get(row.actor, row.actor), reader) for row in rows)


def _view(row: AuditEvent, who: str, reader: Reader) -> Event:
    icon, text, tone = _ACTS.get(row.action, ("info-circle", row.action, "neutral"))
    after = row.after or {}
    if row.action == "change.approve" and after.get("terms"):
        text = "approved on other terms: for less, or until an earlier date."
    if row.action == "change.submit" and after.get("reference"):
        text = f"asked for the change. {after['reference']}"
    quote = "" if row.actor in _OUR_OWN else row.reason
    return Event(reader.clock(row.at), icon, who, text, tone, quote)


def change_timeline(
    session: Session,
    change: ChangeRequest,
    decision: DecisionRow | None,
    titles: Mapping[str, str],
    reader: Reader,
    *,
    explained: bool,
) -> tuple[Event, ...]:
    """From the denial to the end.

    Args:
        explained: whether the reader may open the decisions that it names.
    """
    denied = () if decision is None else (_denial(decision, titles, reader),)
    said = events_of(session, "change", show_number(change.number), reader)
    events = (*denied, *said, *_used(session, change, reader))
    return events if explained else tuple(replace(one, link="", link_text="") for one in events)


def _denial(decision: DecisionRow, titles: Mapping[str, str], reader: Reader) -> Event:
    why = " ".join(reasons(decision.violations, titles))
    times = f", {decision.count} times" if decision.count > 1 else ""
    return Event(
        reader.clock(decision.at),
        "circle-x",
        "",
        f"Denied{times}: {why}",
        "bad",
        link_text="The decision",
        link=f"/decisions/{decision.id}",
    )


def _used(session: Session, change: ChangeRequest, reader: Reader) -> tuple[Event, ...]:
    """The decisions that the approval let through."""
    from_grants = select(DecisionRow).where(
        col(DecisionRow.outcome) == "allow",
        col(DecisionRow.grant_id).in_(select(Grant.id).where(Grant.change_id == change.id)),
    )
    rows = session.exec(from_grants.order_by(col(DecisionRow.at))).all()
    return tuple(
        Event(
            reader.clock(row.at),
            "circle-check",
            row.actor,
            "repeated the request, and it was allowed.",
            "good",
            link_text="The decision",
            link=f"/decisions/{row.id}",
        )
        for row in rows
    )
