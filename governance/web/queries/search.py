"""Search over changes, decisions, departments, projects and people, as far as the reader may see them."""

from __future__ import annotations

from sqlmodel import Session, col, or_, select

from governance.identity.model import Permission, allows_somewhere
from governance.identity.tables import Person
from governance.web.queries import changes, decisions
from governance.web.reader import Nodes, Reader, href_of, nodes_of
from governance.web.urls import with_query
from governance.web.views.other import Hit, Search
from governance.wording import things

_SHOWN = 8
_LENGTH_MAX = 200


def search(session: Session, reader: Reader, text: str) -> Search:
    """What is found for these words, by kind."""
    words = text.strip()[:_LENGTH_MAX]
    if not words:
        return Search("", "What are you looking for?", ())
    found = [
        ("Changes", _changes(session, reader, words)),
        ("Decisions", _decisions(session, reader, words)),
        ("Departments and projects", _nodes(nodes_of(session), reader, words)),
        ("People", _people(session, reader, words)),
    ]
    groups = tuple((title, hits) for title, hits in found if hits)
    count = sum(len(hits) for _, hits in groups)
    said = f"{things(count, 'thing')} {'was' if count == 1 else 'were'} found for “{words}”."
    return Search(words, said if count else f"Nothing was found for “{words}”.", groups)


def _changes(session: Session, reader: Reader, words: str) -> tuple[Hit, ...]:
    lines = changes.change_list(session, reader, changes.Wanted(text=words)).lines
    return tuple(Hit(one.sentence, one.href, f"{one.name}, {one.where}", one.status) for one in lines[:_SHOWN])


def _decisions(session: Session, reader: Reader, words: str) -> tuple[Hit, ...]:
    if not allows_somewhere(reader.principal, Permission.DECISION_READ):
        return ()
    lines = decisions.decision_list(session, reader, decisions.Wanted(days="ever", text=words)).lines
    return tuple(Hit(one.sentence, one.href, f"{one.where}, {one.at.text}", one.status) for one in lines[:_SHOWN])


def _nodes(nodes: Nodes, reader: Reader, words: str) -> tuple[Hit, ...]:
    visible = nodes.visible(reader.principal, Permission.QUOTA_READ)
    low = words.casefold()
    found = [
        one
        for one in nodes.by_id.values()
        if one.id in visible and (low in one.title.casefold() or low in nodes.label(one.id))
    ]
    return tuple(Hit(one.title, href_of(one), f"{one.kind} {nodes.label(one.id)}") for one in found[:_SHOWN])


def _people(session: Session, reader: Reader, words: str) -> tuple[Hit, ...]:
    """People stand in the list for whoever can see changes; their names stand there anyway."""
    if not allows_somewhere(reader.principal, Permission.CHANGE_READ):
        return ()
    named = or_(
        col(Person.display_name).icontains(words, autoescape=True), col(Person.name).icontains(words, autoescape=True)
    )
    query = select(Person).where(named, col(Person.active).is_(True)).order_by(Person.display_name).limit(_SHOWN)
    return tuple(
        Hit(
            one.display_name,
            with_query("/changes", {"text": one.display_name}),
            f"{one.name}; the changes that they asked for",
        )
        for one in session.exec(query)
    )
