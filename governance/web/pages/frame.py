"""What every page does: read once, as the person who is signed in, and put the view into the frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session

from governance.db.session import reading
from governance.errors import GovernanceError
from governance.identity.model import Principal, allows_somewhere
from governance.policy.model import Rule
from governance.web.queries.frame import ENTRIES, Entries, roles_line, shell
from governance.web.reader import Reader, reader_of
from governance.web.render import page
from governance.web.views.parts import Problem, Somebody
from governance.web.views.shell import Shell

_DONE: Mapping[str, str] = {
    "approved": "You approved it. The requester is told.",
    "counted": "Your approval counts. Others are still needed.",
    "rejected": "You rejected it. The requester is told.",
    "asked": "Your request is on its way. Whoever can approve it is told by mail.",
    "question": "Your question is on its way to the requester.",
    "answered": "Your answer is on its way.",
    "withdrawn": "You withdrew it.",
    "revoked": "The approval is taken back.",
    "emergency": "The glass is broken: repeat the request now. Whoever was skipped is told.",
    "reviewed": "You reviewed it. Whoever broke the glass is told.",
}


@dataclass(frozen=True, slots=True)
class Pages:
    """What pages are composed with; `app.state.pages`. `rules`: METADATA of the policy in force."""

    rules: Callable[[], Mapping[str, Rule]]
    entries: Entries = ENTRIES
    demo: bool = False


async def posted_form(request: Request) -> dict[str, str]:
    """The text fields of the form that was sent. Async because a body is read only so."""
    return {name: value for name, value in (await request.form()).multi_items() if isinstance(value, str)}


Posted = Annotated[dict[str, str], Depends(posted_form)]


def show(
    request: Request,
    template: str,
    current: str,
    make: Callable[[Session, Reader], object],
    *,
    status: int = 200,
) -> HTMLResponse:
    """A page: one read transaction for the view and the frame.

    Args:
        current: the navigation entry that is open.
        make: reads the view.
    """
    state, principal = request.app.state, request.state.principal
    reader = reader_of(principal, state.clock())
    pages: Pages = state.pages
    with reading(state.engine) as session:
        view = make(session, reader)
        frame = shell(
            session,
            reader,
            pages.entries,
            current,
            csrf_token=getattr(request.state, "csrf_token", ""),
            demo=pages.demo,
            notice=_DONE.get(request.query_params.get("done", ""), ""),
        )
    return page(template, frame, view, status=status)


def bare_shell(request: Request) -> Shell:
    """The frame without a read: for errors, which must show when the database does not answer."""
    pages: Pages = request.app.state.pages
    principal: Principal | None = getattr(request.state, "principal", None)
    if principal is None:
        return Shell(place="", demo=pages.demo)
    return Shell(
        place="",
        person=Somebody(principal.display_name, roles_line(principal)),
        csrf_token=getattr(request.state, "csrf_token", ""),
        navigation=tuple(one.item for one in pages.entries if allows_somewhere(principal, one.permission)),
        demo=pages.demo,
    )


def problem_of(error: GovernanceError, field: str) -> Problem:
    """An error of a use case, for the form: what is wrong and what to do, at the field (its id; empty: the whole)."""
    return Problem(field, f"{error.detail} {error.remedy or ''}".strip())


def done(path: str, what: str) -> RedirectResponse:
    """To the page that shows what was done: a reload then sends nothing again."""
    return RedirectResponse(f"{path}?done={what}", status_code=303)
