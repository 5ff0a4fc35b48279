"""The frame of a page: who reads it, where they may go, what waits."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlmodel import Session

from governance.change.read import reviews_waiting_for, waiting_for
from governance.identity.model import Permission, Principal, allows_somewhere
from governance.web.formats import zone_shown
from governance.web.reader import Reader, nodes_of
from governance.web.views.parts import Somebody
from governance.web.views.shell import NavigationItem, Shell


@dataclass(frozen=True, slots=True)
class Entry:
    """A way to a room's pages, for whoever has the permission; rooms register theirs at composition."""

    item: NavigationItem
    permission: Permission


Entries = tuple[Entry, ...]

ENTRIES: Entries = (
    Entry(NavigationItem("Home", "/", "home", "h"), Permission.PROFILE),
    Entry(NavigationItem("Changes", "/changes", "git-pull-request", "c"), Permission.CHANGE_READ),
    Entry(NavigationItem("Quotas", "/quotas", "gauge", "q"), Permission.QUOTA_READ),
    Entry(NavigationItem("Decisions", "/decisions", "scale", "d"), Permission.DECISION_READ),
)
MAILS = Entry(NavigationItem("Mails", "/demo/mails", "mail", "m"), Permission.PROFILE)


def shell(
    session: Session, reader: Reader, entries: Entries, current: str, *, csrf_token: str, demo: bool, notice: str = ""
) -> Shell:
    """The frame for this reader. `current` is the path of the entry that is open."""
    me = reader.principal.person_id
    waiting = len(waiting_for(session, me, reader.now)) + len(reviews_waiting_for(session, me, reader.now))
    return Shell(
        place=nodes_of(session).root_title(),
        person=Somebody(reader.principal.display_name, roles_line(reader.principal)),
        csrf_token=csrf_token,
        navigation=tuple(
            replace(one.item, current=one.item.href == current, waiting=waiting if one.item.href == "/changes" else 0)
            for one in entries
            if allows_somewhere(reader.principal, one.permission)
        ),
        demo=demo,
        notice=notice,
        zone=zone_shown(reader.now, reader.zone),
    )


def roles_line(principal: Principal) -> str:
    """`approver, requester`: what the person is somewhere."""
    return ", ".join(sorted({held.role.value for held in principal.roles}))
