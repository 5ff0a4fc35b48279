"""Home: what waits, what is mine, what runs out, what is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import Session

from governance.change.freezes import freezes_between
from governance.change.model import Asks
from governance.change.read import Standing, asked_by, reviews_waiting_for, waiting_for
from governance.identity.model import Permission, allows_somewhere
from governance.web.queries.changes import line_of
from governance.web.queries.meters import fullness, ledger_of, meter_of
from governance.web.queries.needs import people_names
from governance.web.queries.warned import observed, warned
from governance.web.reader import Nodes, Reader, href_of, nodes_of
from governance.web.sentences import consequence
from governance.web.views.change import ChangeLine
from governance.web.views.home import DepartmentMeter, Home, ReviewDue, Waiting
from governance.web.views.parts import Freeze
from governance.wording import things

_WAITING_SHOWN = 5
_MINE_SHOWN = 5
_METERS_SHOWN = 4


def home(session: Session, reader: Reader) -> Home:
    """The first page, for this reader."""
    nodes = nodes_of(session)
    waiting = waiting_for(session, reader.principal.person_id, reader.now)
    lines = _waiting(session, waiting[:_WAITING_SHOWN], nodes, reader)
    reviews = _reviews(session, nodes, reader)
    urgent = sum(bool(one.line.late) for one in lines)
    may_approve = allows_somewhere(reader.principal, Permission.CHANGE_REVIEW)
    return Home(
        sentence=_sentence(len(waiting), urgent, reviews, may_approve=may_approve),
        freezes=_freezes(session, nodes, reader),
        warned=warned(session, nodes, reader),
        observed=observed(session, nodes, reader),
        reviews=reviews,
        waiting=lines,
        more_waiting=len(waiting) - len(lines),
        mine=_mine(session, nodes, reader),
        meters=_meters(session, nodes, reader),
        may_approve=may_approve or bool(waiting),
        may_ask=allows_somewhere(reader.principal, Permission.CHANGE_ASK),
    )


def _sentence(waiting: int, urgent: int, reviews: Sequence[ReviewDue], *, may_approve: bool) -> str:
    said = []
    if reviews:
        overdue = sum(one.line.late == "overdue" for one in reviews)
        late = f", {'overdue' if overdue == len(reviews) else f'{overdue} of them overdue'}" if overdue else ""
        said.append(
            f"{things(len(reviews), 'emergency')} {'waits' if len(reviews) == 1 else 'wait'} for your review{late}."
        )
    if waiting:
        soon = f", and {urgent} of them {'is' if urgent == 1 else 'are'} due soon" if urgent else ""
        said.append(f"{things(waiting, 'change')} {'waits' if waiting == 1 else 'wait'} for you{soon}.")
    if said:
        return " ".join(said)
    return "Nothing waits for you." if may_approve else "Here is where your requests and your departments stand."


def _waiting(session: Session, standings: list[Standing], nodes: Nodes, reader: Reader) -> tuple[Waiting, ...]:
    names = people_names(session, {one.change.requester_id for one in standings})
    titles = {str(node.id): node.title for node in nodes.by_id.values()}
    return tuple(
        Waiting(
            line_of(one.change, names[one.change.requester_id], nodes, reader, one),
            consequence(Asks.from_dict(one.change.asks).quota, titles),
            one.change.version,
        )
        for one in standings
    )


def _reviews(session: Session, nodes: Nodes, reader: Reader) -> tuple[ReviewDue, ...]:
    found = [one.change for one in reviews_waiting_for(session, reader.principal.person_id, reader.now)]
    names = people_names(session, {one.requester_id for one in found})
    return tuple(
        ReviewDue(line_of(one, names[one.requester_id], nodes, reader), f"{one.reason} {one.reference}")
        for one in found
    )


def _mine(session: Session, nodes: Nodes, reader: Reader) -> tuple[ChangeLine, ...]:
    me = reader.principal
    rows = asked_by(session, me.person_id, _MINE_SHOWN)
    return tuple(line_of(one, me.display_name, nodes, reader) for one in rows)


def _meters(session: Session, nodes: Nodes, reader: Reader) -> tuple[DepartmentMeter, ...]:
    """The limits of the reader's own departments and projects that run out first."""
    visible = nodes.visible(reader.principal, Permission.QUOTA_READ)
    ledger = ledger_of(session, visible)
    rows = [(nodes.by_id[node], row) for node in visible for row in ledger.at(node) if row.hard is not None]
    rows.sort(key=lambda one: (fullness(one[1]), one[1].resource), reverse=True)
    return tuple(DepartmentMeter(node.title, href_of(node), meter_of(row)) for node, row in rows[:_METERS_SHOWN])


def _freezes(session: Session, nodes: Nodes, reader: Reader) -> tuple[Freeze, ...]:
    """The freezes that hold now at, above or below what the reader may see."""
    visible = nodes.visible(reader.principal, Permission.QUOTA_READ)
    around = {above.id for node in visible for above in nodes.path(node)}
    found = {
        (row.calendar, row.summary, row.ends_at): row
        for row in freezes_between(session, sorted(around), reader.now, reader.now + timedelta(seconds=1))
    }
    return tuple(
        Freeze(
            f"Changes{_in_words(row.environments)} are frozen: {row.summary}.",
            reader.deadline(row.ends_at),
            row.calendar,
        )
        for row in found.values()
    )


def _in_words(environments: list[str]) -> str:
    return f" to {' and '.join(environments)}" if environments else ""
