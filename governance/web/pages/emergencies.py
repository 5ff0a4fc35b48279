"""Breaking the glass: the way from a denial for what cannot wait, and the review afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from governance.admission.asking import decision_of, denial_of
from governance.change.emergency import HOURS_MAX, break_glass, review_emergency
from governance.change.model import show_number
from governance.change.read import change_named
from governance.db.session import transaction
from governance.errors import BadInput, Conflict, Forbidden
from governance.http.permissions import requires
from governance.http.problems import request_id_of
from governance.identity.model import Permission, Principal
from governance.web.pages.changes import change_again, version_in
from governance.web.pages.frame import Posted, done, problem_of, show
from governance.web.queries.asks import decision_id_of
from governance.web.queries.emergencies import breaks_glass, emergency_page
from governance.web.reader import nodes_of, reader_of

router = APIRouter(include_in_schema=False)
CanBreak = Annotated[Principal, Depends(requires(Permission.CHANGE_BREAK_GLASS))]
CanReview = Annotated[Principal, Depends(requires(Permission.CHANGE_REVIEW))]
_FIELDS = {"reason": "reason", "incident": "incident", "reference": "incident", "hours": "hours"}


@router.get("/ask/{decision_id}/emergency")
def look(request: Request, decision_id: str, principal: CanBreak) -> Response:
    """What breaking the glass would do, and the form."""
    del principal
    return show(
        request, "emergency.html", "/changes", lambda session, reader: emergency_page(session, reader, decision_id)
    )


@router.post("/ask/{decision_id}/emergency")
def send(request: Request, decision_id: str, principal: CanBreak, form: Posted) -> Response:
    """Break the glass."""
    try:
        name = _break(request, decision_id, principal, form)
    except (BadInput, Conflict) as error:
        problem = problem_of(error, _FIELDS.get(error.field or "", ""))
        typed = {name: form.get(name, "") for name in ("reason", "incident", "hours")}
        return show(
            request,
            "emergency.html",
            "/changes",
            lambda session, reader: emergency_page(session, reader, decision_id, **typed, problems=(problem,)),
            status=error.status,
        )
    return done(f"/changes/{name}", "emergency")


@router.post("/changes/{name}/post-review")
def review(request: Request, name: str, principal: CanReview, form: Posted) -> Response:
    """One of those who were skipped says what they make of it."""
    state = request.app.state
    try:
        with transaction(state.engine) as session:
            change = change_named(session, name)
            review_emergency(
                session,
                change.id,
                principal.person_id,
                form.get("note", ""),
                version_in(form),
                state.clock(),
                request_id=request_id_of(request),
            )
    except (BadInput, Conflict) as error:
        return change_again(request, name, form, error)
    return done(f"/changes/{name.upper()}", "reviewed")


def _break(request: Request, decision_id: str, principal: Principal, form: Mapping[str, str]) -> str:
    state = request.app.state
    now = state.clock()
    with transaction(state.engine) as session:
        denial = denial_of(session, decision_of(session, decision_id_of(decision_id)))
        if not breaks_glass(denial, nodes_of(session), reader_of(principal, now)):
            raise Forbidden(
                f"{principal.display_name} may not break the glass for this project.",
                remedy="Ask an approver of its department.",
            )
        change, _ = break_glass(
            session,
            denial,
            principal.person_id,
            form.get("reason", ""),
            form.get("incident", ""),
            _hours(form.get("hours", "")),
            now,
            request_id=request_id_of(request),
        )
        return show_number(change.number)


def _hours(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise BadInput(
            "This is not a number of hours.", field="hours", remedy=f"Write a whole number from 1 to {HOURS_MAX}."
        )
    return int(text)
