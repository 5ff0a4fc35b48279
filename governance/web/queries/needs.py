"""Who is needed for a change, who has spoken, and who still can."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from governance.change.circle import Circle
from governance.change.model import State
from governance.change.read import Standing
from governance.identity.people import APPROVER_AT
from governance.identity.tables import Person
from governance.policy.model import Need
from governance.web.reader import Nodes, Reader
from governance.web.views import parts
from governance.wording import listed, things

_NAMED = 3  # more people than these are counted, not named


def group_title(group: str, nodes: Nodes) -> str:
    """`Platform` for the group platform, `Radiology` for approver@radiology."""
    if group.startswith(APPROVER_AT):
        name = group.removeprefix(APPROVER_AT)
        node = nodes.named(name)
        return node.title if node else name
    return group.replace("-", " ").capitalize()


def needs_line(standing: Standing, nodes: Nodes) -> str:
    """`needs 1 of Radiology, 1 of Platform`: what is still missing."""
    missing = [(count.missing, count.need.group) for count in standing.tally.counts if count.missing > 0]
    return f"needs {', '.join(f'{lack} of {group_title(group, nodes)}' for lack, group in missing)}" if missing else ""


def needs_view(session: Session, standing: Standing, nodes: Nodes, reader: Reader) -> tuple[parts.Need, ...]:
    """Each need with who approved, who rejected, and who can."""
    names = people_names(session, {review.person_id for review in standing.reviews})
    at = {(review.person_id, review.verdict): reader.clock(review.at) for review in standing.reviews}
    speaking = standing.circle.speaking()
    return tuple(
        parts.Need(
            group=group_title(count.need.group, nodes),
            minimum=count.need.minimum,
            done=count.missing <= 0,
            approved_by=tuple((parts.Somebody(names[one]), at[one, "approve"]) for one in count.approvals),
            rejected_by=tuple((parts.Somebody(names[one]), at[one, "reject"]) for one in count.rejections),
            who_can=_who_can(standing, speaking.get(count.need.group, frozenset()), reader),
            rule=count.need.rule,
        )
        for count in standing.tally.counts
    )


def asked_needs(needs: Sequence[Need], circle: Circle, nodes: Nodes) -> tuple[parts.Need, ...]:
    """Who would have to approve, before anybody asked."""
    speaking = circle.speaking()
    return tuple(
        parts.Need(
            group=group_title(need.group, nodes),
            minimum=need.minimum,
            done=False,
            approved_by=(),
            rejected_by=(),
            who_can=_named(circle, speaking.get(need.group, frozenset())),
            rule=need.rule,
        )
        for need in needs
    )


def _named(circle: Circle, speaking: Collection[UUID]) -> str:
    if not speaking:
        return "Nobody can."
    words = f"{things(len(speaking), 'person')} can"
    names = sorted(circle.people[one].display_name for one in speaking)
    return f"{words}: {listed(names, 'or')}" if len(names) <= _NAMED else words


def _who_can(standing: Standing, speaking: frozenset[UUID], reader: Reader) -> str:
    if State(standing.change.state) is not State.PENDING:
        return ""
    me = reader.principal.person_id
    if me in speaking:
        return f"{things(len(speaking), 'person')} can, you among them" if len(speaking) > 1 else "Only you can."
    if me == standing.change.requester_id:
        return f"{_named(standing.circle, speaking)}; not you: you asked for it"
    return _named(standing.circle, speaking)


def people_names(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    """Display names by id."""
    rows = session.exec(select(Person).where(col(Person.id).in_(list(ids)))).all() if ids else []
    return {one.id: one.display_name for one in rows}
