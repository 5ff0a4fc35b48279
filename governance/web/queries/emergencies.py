"""Emergencies for pages: who may break the glass, what would follow, and the review that is owed afterwards."""

from __future__ import annotations

from sqlmodel import Session, col, select

from governance.admission.asking import denial_of
from governance.audit.tables import AuditEvent
from governance.change.circle import Circle, circle_of
from governance.change.emergency import HOURS_MAX, REVIEW_WITHIN, overdue_before
from governance.change.model import Denial, No, State, show_number
from governance.change.read import Standing
from governance.change.submit import needs_of, open_change
from governance.change.tables import ChangeRequest
from governance.identity.model import Permission, allows
from governance.identity.people import APPROVER_AT, members_of
from governance.identity.tables import Person
from governance.web.queries.decisions import find_decision
from governance.web.queries.denied import denied_view
from governance.web.reader import Nodes, Reader, nodes_of
from governance.web.views.change import EmergencyPage, PostReview
from governance.web.views.parts import Badge, Problem
from governance.wording import listed

_USUAL_HOURS = "4"


def breaks_glass(denial: Denial, nodes: Nodes, reader: Reader) -> bool:
    """Whether the reader's role allows it for the project that was denied."""
    return allows(reader.principal, Permission.CHANGE_BREAK_GLASS, nodes.path_ids(denial.project_id))


def urgent_line(session: Session, denial: Denial, reader: Reader) -> str:
    """Who can let it through at once, for somebody who has no time to wait for an approval."""
    can = members_of(session, f"{APPROVER_AT}{denial.project_id}")
    if any(one.id == reader.principal.person_id for one in can):
        return "In an emergency you can let it through at once, without an approval, and answer for it in a review."
    if not can:
        return "Nobody is named who could let it through at once in an emergency."
    names = listed(sorted(one.display_name for one in can), "or")
    return f"In an emergency {names} can let it through at once, without an approval. You cannot: ask one of them."


def emergency_page(
    session: Session,
    reader: Reader,
    decision_id: str,
    *,
    reason: str = "",
    incident: str = "",
    hours: str = _USUAL_HOURS,
    problems: tuple[Problem, ...] = (),
) -> EmergencyPage:
    """What was denied, and what breaking the glass for it would do. Nothing is written.

    Raises:
        NotFound, Forbidden: no such decision, or not for this reader. BadInput: it denied nothing.
    """
    nodes = nodes_of(session)
    row = find_decision(session, decision_id, nodes, reader)
    denial = denial_of(session, row)
    what, me = denial.asks.what, reader.principal.person_id
    circle = circle_of(session, needs_of(session, denial), me, denial.actor_id, reader.now)
    existing = open_change(session, denial.digest)
    why_not, in_the_way = _why_not(session, denial, existing, nodes, reader)
    return EmergencyPage(
        denied=denied_view(session, row, denial, nodes, reader),
        ask_href=f"/ask/{row.id}",
        sentence=f"{what[:1].upper()}{what[1:]}: at once, without an approval.",
        follows=_follows(denial, circle, existing, nodes, reader),
        may=why_not,
        may_href=f"/changes/{show_number(in_the_way.number)}" if in_the_way else "",
        may_link=show_number(in_the_way.number) if in_the_way else "",
        hours_max=HOURS_MAX,
        hours=hours,
        reason=reason,
        incident=incident,
        problems=problems,
    )


def _why_not(
    session: Session, denial: Denial, existing: ChangeRequest | None, nodes: Nodes, reader: Reader
) -> tuple[str, ChangeRequest | None]:
    """Why the reader cannot break the glass here, and the change that stands in the way; empty if they can."""
    if not denial.askable:
        return "No exception can answer this denial: change the request so that it keeps to the rules it broke.", None
    if not breaks_glass(denial, nodes, reader):
        return urgent_line(session, denial, reader), None
    if existing is not None and existing.state != State.PENDING:
        return "There is no need to: this is approved already. Repeat the request that was denied.", existing
    overdue = overdue_before(session, denial.project_id, reader.principal.person_id, reader.now)
    if overdue is not None:
        return "The review of an earlier emergency is overdue. Until it is done, this way is closed.", overdue
    return "", None


def _follows(
    denial: Denial, circle: Circle, existing: ChangeRequest | None, nodes: Nodes, reader: Reader
) -> tuple[Badge, ...]:
    mine = denial.actor_id == reader.principal.person_id
    names = listed(sorted(one.display_name for one in circle.people.values()))
    told = f"{names} {'is' if len(circle.people) == 1 else 'are'} told at once, by mail: you act without asking them."
    review = reader.deadline(reader.now + REVIEW_WITHIN).text
    project = nodes.label(denial.project_id)
    found = [
        Badge(
            f"The request that was denied passes once, from now until the time that you choose is over. "
            f"{'Repeat it' if mine else f'Tell {denial.actor} to repeat it'}: nothing is repeated for you.",
            "circle-check",
        ),
        Badge(told if names else "Nobody is told, because nobody else is named who could approve this.", "mail"),
        Badge(
            f"{'One of them' if len(circle.people) > 1 else names or 'Nobody'} must review it by {review}, "
            f"whether it was used or not. While that review is overdue, neither you nor {project} can do this again.",
            "clipboard-check",
        ),
        Badge("Your name, the reason and the incident stand in the audit log for good.", "file-text"),
    ]
    if existing is not None and existing.state == State.PENDING:
        found.append(Badge(f"{show_number(existing.number)}, which asks for the same, is closed.", "history"))
    return tuple(found)


def post_review(
    session: Session, standing: Standing, reader: Reader, note: str, problems: tuple[Problem, ...]
) -> PostReview | None:
    """The review that an emergency owes, or has had; None for any other change."""
    change = standing.change
    if change.review_due_at is None:
        return None
    allowed = standing.may_review_afterwards(reader.principal.person_id)
    done = State(change.state) is State.CLOSED
    return PostReview(
        due=reader.deadline(change.review_due_at),
        overdue=not done and change.review_due_at <= reader.now,
        done=done,
        skipped=_skipped(session, change),
        may=allowed.reason if isinstance(allowed, No) else "",
        note=note,
        problems=problems,
    )


def _skipped(session: Session, change: ChangeRequest) -> tuple[str, ...]:
    """Who was told that they were skipped: as it was written down then, whoever is an approver today."""
    told = session.exec(
        select(AuditEvent.after).where(
            AuditEvent.action == "change.break_glass",
            AuditEvent.subject_kind == "change",
            AuditEvent.subject_id == show_number(change.number),
        )
    ).one()
    people = session.exec(select(Person).where(col(Person.name).in_((told or {}).get("skipped", ()))))
    return tuple(sorted(one.display_name for one in people))
