"""Changes for pages: lists, and one change as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from governance.admission.tables import DecisionRow
from governance.admission.visible import may_see as may_see_decision
from governance.change.model import OPEN, Asks, State, parse_number, show_number
from governance.change.read import Standing, change_named, reviews_waiting_for, standing_of, waiting_for
from governance.change.tables import ChangeRequest, Grant
from governance.change.visible import may_see, visible
from governance.errors import Forbidden
from governance.identity.model import Permission, allows
from governance.identity.tables import Person
from governance.units import ResourceList
from governance.web.formats import number
from governance.web.queries.decisions import differences_of, request_facts
from governance.web.queries.emergencies import post_review
from governance.web.queries.meters import path_meters
from governance.web.queries.needs import needs_line, needs_view, people_names
from governance.web.queries.reviews import Typed, review_form, rising
from governance.web.queries.trail import change_timeline
from governance.web.reader import Nodes, Reader, nodes_of
from governance.web.sentences import consequence
from governance.web.urls import with_query
from governance.web.views.change import ChangeLine, ChangeList, ChangePage, Filter
from governance.web.views.parts import Badge, Choice, Moment
from governance.wording import listed, things

PAGE_SIZE = 30
_URGENT = timedelta(hours=4)
_BADGES: Mapping[State, Badge] = {
    State.DRAFT: Badge("Draft", "circle", "neutral"),
    State.PENDING: Badge("Pending", "clock", "caution"),
    State.APPROVED: Badge("Approved", "circle-check", "good"),
    State.SCHEDULED: Badge("Scheduled", "calendar-event", "info"),
    State.IN_USE: Badge("In use", "progress", "info"),
    State.POST_REVIEW: Badge("Review due", "clipboard-check", "caution"),
    State.CLOSED: Badge("Closed", "circle-check", "good"),
    State.REJECTED: Badge("Rejected", "circle-x", "bad"),
    State.WITHDRAWN: Badge("Withdrawn", "arrow-back-up", "neutral"),
    State.EXPIRED: Badge("Expired", "hourglass", "neutral"),
    State.SUPERSEDED: Badge("Superseded", "history", "neutral"),
    State.REVOKED: Badge("Revoked", "circle-x", "bad"),
    State.FAILED: Badge("Failed", "circle-x", "bad"),
}
_OUTCOMES: Mapping[State, str] = {
    State.SCHEDULED: "It is approved; the time for which it holds begins {start}.",
    State.IN_USE: "The approval has been used. What was admitted has not been seen on the cluster yet.",
    State.CLOSED: "The approval was used, and what was asked for is there.",
    State.REJECTED: "It was rejected. The request stays denied; another one can be asked for.",
    State.WITHDRAWN: "It was withdrawn before it was used.",
    State.EXPIRED: "Its time ran out. Repeat the request to ask again.",
    State.SUPERSEDED: "The same person asked for the same thing with other values; the newer change counts.",
    State.REVOKED: "The approval was taken back before it was used.",
    State.FAILED: "What was admitted never came to be, and the time of the approval is over.",
    State.POST_REVIEW: "It was made in an emergency. Somebody who was skipped must review it now.",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is asked for, as it stands in the query string."""

    show: str = ""  # waiting, mine, or all
    state: str = ""
    text: str = ""
    before: str = ""  # CH-1042: older than it


def badge_of(change: ChangeRequest) -> Badge:
    """The change's state."""
    return _BADGES[State(change.state)]


def sentence_of(change: ChangeRequest, requester: str, reader: Reader) -> str:
    """Who asks for what until when. The last day is the one that ends when the right does."""
    if change.kind == "emergency":
        until = reader.clock(change.valid_until).text
        return f"{requester} broke the glass for {change.asks['what']}, until {until}."
    verb = "asks" if State(change.state) in OPEN else "asked"
    last = change.valid_until - timedelta(seconds=1)
    return f"{requester} {verb} for {change.asks['what']} until {reader.day(last)}."


def line_of(
    change: ChangeRequest, requester: str, nodes: Nodes, reader: Reader, standing: Standing | None = None
) -> ChangeLine:
    """One change in a list."""
    pending, owed = State(change.state) is State.PENDING, is_owed(change)
    due_at = change.decide_by if pending else change.review_due_at if owed else None
    return ChangeLine(
        name=show_number(change.number),
        href=f"/changes/{show_number(change.number)}",
        sentence=sentence_of(change, requester, reader),
        status=badge_of(change),
        where=nodes.label(change.project_id),
        who=requester,
        at=reader.moment(change.created_at),
        due=reader.deadline(due_at) if due_at else None,
        due_word="review by" if owed else "decide by",
        late=_late(due_at - reader.now) if due_at else "",
        needs_line=needs_line(standing, nodes) if standing and pending else "",
    )


def is_owed(change: ChangeRequest) -> bool:
    """Whether the review of an emergency is still to be written."""
    return change.review_due_at is not None and State(change.state) is not State.CLOSED


def _late(left: timedelta) -> str:
    if left <= timedelta():
        return "overdue"
    return "due soon" if left < _URGENT else ""


def change_list(session: Session, reader: Reader, wanted: Wanted) -> ChangeList:
    """The changes that the reader may see, newest first."""
    nodes = nodes_of(session)
    me = reader.principal.person_id
    waiting = [*reviews_waiting_for(session, me, reader.now), *waiting_for(session, me, reader.now)]
    rows = _rows(session, reader, nodes, wanted, {one.change.id for one in waiting})
    shown = rows[:PAGE_SIZE]
    names = people_names(session, {one.requester_id for one in shown})
    lines = tuple(
        line_of(
            one, names[one.requester_id], nodes, reader, standing_of(session, one, reader.now) if _open(one) else None
        )
        for one in shown
    )
    filtered = bool(wanted.show or wanted.state or wanted.text)
    return ChangeList(
        sentence=_list_sentence(len(lines), len(rows) > PAGE_SIZE, len(waiting), filtered=filtered),
        filters=_filters(wanted),
        text=wanted.text,
        lines=lines,
        empty_title="No change fits" if filtered else "Nobody has asked for a change yet",
        empty_text="Other words or states may find what you look for."
        if filtered
        else "When the cluster denies a request, its answer holds a link under which the change can be asked for.",
        older=_older(wanted, lines) if len(rows) > PAGE_SIZE else "",
        filtered=filtered,
    )


def _older(wanted: Wanted, lines: tuple[ChangeLine, ...]) -> str:
    values = {"show": wanted.show, "state": wanted.state, "text": wanted.text, "before": lines[-1].name}
    return with_query("/changes", values)


def _open(change: ChangeRequest) -> bool:
    return State(change.state) is State.PENDING


def _rows(session: Session, reader: Reader, nodes: Nodes, wanted: Wanted, waiting: set[UUID]) -> list[ChangeRequest]:
    query = select(ChangeRequest).join(Person, col(Person.id) == col(ChangeRequest.requester_id))
    seen = nodes.visible(reader.principal, Permission.CHANGE_READ)
    query = query.where(visible(session, reader.principal, seen, reader.now))
    if wanted.show == "waiting":
        query = query.where(col(ChangeRequest.id).in_(waiting))
    elif wanted.show == "mine":
        query = query.where(ChangeRequest.requester_id == reader.principal.person_id)
    if wanted.state in {state.value for state in State}:
        query = query.where(ChangeRequest.state == wanted.state)
    if wanted.text:
        query = query.where(_matches(wanted.text, nodes))
    older = parse_number(wanted.before) if wanted.before else None
    if older is not None:
        query = query.where(ChangeRequest.number < older)
    return list(session.exec(query.order_by(col(ChangeRequest.number).desc()).limit(PAGE_SIZE + 1)))


def _matches(text: str, nodes: Nodes) -> ColumnElement[bool]:
    number_ = parse_number(text)
    if number_ is not None:
        return col(ChangeRequest.number) == number_
    word = text.casefold()
    projects = [one.id for one in nodes.by_id.values() if word in nodes.label(one.id) or word in one.title.casefold()]
    return or_(
        col(ChangeRequest.reason).icontains(text, autoescape=True),
        col(ChangeRequest.reference).icontains(text, autoescape=True),
        col(ChangeRequest.target).icontains(text, autoescape=True),
        col(Person.display_name).icontains(text, autoescape=True),
        col(ChangeRequest.project_id).in_(projects),
    )


def _list_sentence(count: int, more: bool, waiting: int, *, filtered: bool) -> str:
    if not count:
        return "No change fits these filters." if filtered else "Nobody has asked for a change yet."
    shown = f"The newest {things(count, 'change')}" if more else things(count, "change")
    wait = f"; {waiting} {'waits' if waiting == 1 else 'wait'} for you" if waiting else "; none waits for you"
    return f"{shown}{wait}."


def _filters(wanted: Wanted) -> tuple[Filter, ...]:
    shows = (("", "All"), ("waiting", "Waiting for me"), ("mine", "Mine"))
    states = (("", "Any"), *((state.value, _BADGES[state].word) for state in State if state is not State.DRAFT))
    return (
        Filter("show", "Show", tuple(Choice(value, title, value == wanted.show) for value, title in shows)),
        Filter("state", "State", tuple(Choice(value, title, value == wanted.state) for value, title in states)),
    )


def change_page(session: Session, reader: Reader, name: str, typed: Typed | None = None) -> ChangePage:
    """One change as it stands, for this reader.

    Args:
        typed: what was typed into a form that could not be taken; None for a fresh one.

    Raises:
        NotFound: no such change. Forbidden: the reader may not see it.
    """
    nodes = nodes_of(session)
    standing = standing_of(session, change_named(session, name), reader.now)
    change = standing.change
    allowed = standing.may_review(reader.principal.person_id, reader.now)
    _check_visible(standing, nodes, reader)
    asks = Asks.from_dict(change.asks)
    decision = session.get(DecisionRow, change.decision_id)
    pending, mine = _open(change), change.requester_id == reader.principal.person_id
    requester = people_names(session, {change.requester_id})[change.requester_id]
    pressed, roomy = path_meters(session, nodes, reader, change.project_id, asks.quota, adding=_still_adds(change))
    return ChangePage(
        name=show_number(change.number),
        href=f"/changes/{show_number(change.number)}",
        version=change.version,
        status=badge_of(change),
        requester=requester,
        needs_line=needs_line(standing, nodes) if pending else "",
        decide_by=reader.deadline(change.decide_by) if pending else None,
        sentence=sentence_of(change, requester, reader),
        consequence=consequence(asks.quota, nodes.titles()),
        chips=_chips(change, asks, nodes),
        differences=differences_of(asks.changes, asks.before, asks.after, decision),
        facts=request_facts(decision, nodes, reader) if decision else (),
        quotas=pressed,
        quotas_more=roomy,
        needs=needs_view(session, standing, nodes, reader),
        timeline=change_timeline(
            session, change, decision, nodes.titles(), reader, explained=_may_see(decision, nodes, reader)
        ),
        review=review_form(standing, asks, reader, allowed, typed) if pending else None,
        after=post_review(session, standing, reader, typed.note if typed else "", typed.problems if typed else ()),
        outcome=_outcome(standing, reader, requester),
        may_withdraw=mine and State(change.state) in {State.PENDING, State.APPROVED, State.SCHEDULED},
        may_answer=mine and pending and any(one.verdict == "question" for one in standing.reviews),
        may_revoke=not mine and _may_revoke(change, nodes, reader),
        problems=typed.problems if typed else (),
        typed=typed.note if typed else "",
        live=(pending and typed is None) or State(change.state) in {State.APPROVED, State.SCHEDULED, State.IN_USE},
    )


def _check_visible(standing: Standing, nodes: Nodes, reader: Reader) -> None:
    if not may_see(standing, reader.principal, nodes.visible(reader.principal, Permission.CHANGE_READ)):
        raise Forbidden(
            f"{reader.principal.display_name} may not see changes of {nodes.label(standing.change.project_id)}.",
            remedy="Ask an administrator for a role there.",
        )


def _may_see(decision: DecisionRow | None, nodes: Nodes, reader: Reader) -> bool:
    seen = nodes.visible(reader.principal, Permission.DECISION_READ)
    return decision is not None and may_see_decision(decision, reader.principal, seen)


def _still_adds(change: ChangeRequest) -> bool:
    return State(change.state) in {State.PENDING, State.APPROVED, State.SCHEDULED}


def _chips(change: ChangeRequest, asks: Asks, nodes: Nodes) -> tuple[Badge, ...]:
    path = nodes.path(change.project_id)
    found = []
    if change.kind == "emergency":
        found.append(Badge("emergency", "alert-triangle", "bad"))
    if any(row.over() for row in asks.quota):
        found.append(Badge("over the limit", "alert-triangle", "caution"))
    if "freeze" in change.waives:
        found.append(Badge("in a freeze", "snowflake", "info"))
    if any(code.startswith("checkpoint-") for code in change.waives):
        found.append(Badge("without a checkpoint", "alert-triangle", "caution"))
    if "budget-approval" in change.waives:
        found.append(Badge("over the budget", "alert-triangle", "caution"))
    if path and path[0].environment:
        found.append(Badge(path[0].environment, "server", "neutral"))
    return tuple(found)


def _outcome(standing: Standing, reader: Reader, requester: str) -> str:
    change, grant = standing.change, standing.grant
    state = State(change.state)
    if state is State.APPROVED:
        ends = grant.valid_until if grant else change.valid_until
        until = reader.day(ends - timedelta(seconds=1)) if change.kind != "emergency" else reader.deadline(ends).text
        what = _at_most(grant, change) if grant and grant.ceiling is not None else "exactly as asked"
        who = "You" if change.requester_id == reader.principal.person_id else requester
        return f"{who} can repeat the request now, once and {what}, until {until}."
    if state is State.CLOSED and change.kind == "emergency":
        return "It was made in an emergency, and has been reviewed."
    start: Moment = reader.deadline(change.valid_from)
    return _OUTCOMES.get(state, "").format(start=start.text)


def _at_most(grant: Grant, change: ChangeRequest) -> str:
    asks, ceiling = Asks.from_dict(change.asks), ResourceList(grant.ceiling or {})
    less = [name for name in rising(asks) if ceiling[name] < asks.after[name]]
    shown = (number(name, ceiling[name]) for name in less)
    return f"for at most {listed(f'{one.text} {one.unit}'.strip() + f' ({one.exact})' for one in shown)}"


def _may_revoke(change: ChangeRequest, nodes: Nodes, reader: Reader) -> bool:
    usable = State(change.state) in {State.APPROVED, State.SCHEDULED}
    return usable and allows(reader.principal, Permission.CHANGE_REVOKE, nodes.path_ids(change.project_id))
