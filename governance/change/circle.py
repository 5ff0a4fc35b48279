"""Who may decide a change: the members of the groups that are needed, without whoever asked, and who stands in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from governance.change.model import Reviewable, State
from governance.change.tables import ChangeRequest
from governance.change.tally import Members, short_of
from governance.errors import NotFound
from governance.identity import organisation
from governance.identity.people import APPROVER_AT, members_of
from governance.identity.tables import Delegation, Person
from governance.policy.model import Need


@dataclass(frozen=True, slots=True)
class Circle:
    """The people around one change."""

    members: Members  # by group: who may speak for it, without the requester, the actor and their delegates
    stands_in: Mapping[UUID, frozenset[UUID]]  # delegate -> the members for whom they act now
    delegates: frozenset[UUID]  # who acts for the requester or the actor
    people: Mapping[UUID, Person]  # everybody in `members` or `stands_in`

    def speaking(self) -> Members:
        """By group: its members and those who stand in for them."""
        return {
            group: members | {person for person, seats in self.stands_in.items() if not seats.isdisjoint(members)}
            for group, members in self.members.items()
        }


def circle_of(
    session: Session, needs: Sequence[Need], requester_id: UUID, actor_id: UUID | None, now: datetime
) -> Circle:
    """Read who may decide now. A group that names nobody, or no node, is empty."""
    groups = {need.group: _members(session, need.group) for need in needs}
    asking = {requester_id} | ({actor_id} if actor_id else set())
    people = {person.id: person for members in groups.values() for person in members}
    delegations = _delegations(session, people.keys() | asking, now)
    delegates = frozenset(one.delegate_id for one in delegations if one.person_id in asking)
    barred = delegates | asking
    if delegations:
        stand_ins = (person for need in needs for person in _members(session, need.group, at=now))
        people |= {person.id: person for person in stand_ins}
    people = {id_: person for id_, person in people.items() if id_ not in barred}
    stands_in: dict[UUID, frozenset[UUID]] = {}
    for one in delegations:
        if one.delegate_id in people and one.person_id in people:
            stands_in[one.delegate_id] = stands_in.get(one.delegate_id, frozenset()) | {one.person_id}
    members = {group: frozenset(person.id for person in those) - barred for group, those in groups.items()}
    return Circle(members, stands_in, delegates, people)


def reviewable(change: ChangeRequest, circle: Circle) -> Reviewable:
    """What `model.may_review` needs."""
    return Reviewable(
        State(change.state),
        change.decide_by,
        change.requester_id,
        change.actor_id,
        circle.delegates,
        circle.speaking(),
    )


def nobody_can(needs: Sequence[Need], circle: Circle) -> str:
    """One sentence that says who is missing for these needs to be satisfied at all; empty if nobody is."""
    lacks = short_of(needs, circle.members)
    if not lacks:
        return ""
    said = "; ".join(
        f"{need.group} needs {_people_in_words(need.minimum)} (rule {need.rule}) and lacks {_people_in_words(lack)}"
        for need, lack in lacks
    )
    return f"Not enough people can approve this: {said}. Whoever asked, and whoever acts for them, does not count."


def _members(session: Session, group: str, at: datetime | None = None) -> list[Person]:
    try:
        return members_of(session, _by_node_id(session, group), at=at)
    except NotFound:
        return []


def _by_node_id(session: Session, group: str) -> str:
    """`approver@radiology/ct-training` names a project by its department, as denials do."""
    if not group.startswith(APPROVER_AT) or "/" not in group:
        return group
    project = organisation.node_by_name(session, "project", group.rpartition("/")[2])
    return f"{APPROVER_AT}{project.id}"


def _delegations(session: Session, people: Collection[UUID], now: datetime) -> list[Delegation]:
    query = select(Delegation).where(
        col(Delegation.person_id).in_(list(people)), Delegation.valid_from <= now, Delegation.valid_until > now
    )
    return list(session.exec(query))


def _people_in_words(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"
