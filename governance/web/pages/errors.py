"""The error page: what happened, what to try, and the number under which it stands in the logs."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request, Response

from governance.http.problems import Problem
from governance.web.pages.frame import bare_shell
from governance.web.render import page
from governance.web.views.other import ErrorPage

_SENTENCES: Mapping[int, tuple[str, str]] = {
    400: ("alert-triangle", "This could not be read."),
    401: ("lock", "You are not signed in any more."),
    403: ("lock", "You may not do this."),
    404: ("search", "There is nothing here."),
    405: ("alert-triangle", "This address does not work that way."),
    409: ("history", "Somebody else was faster."),
    410: ("hourglass", "This is over."),
    413: ("alert-triangle", "This is too large."),
    422: ("alert-triangle", "Something in this does not fit."),
    429: ("hourglass", "This was too often."),
    500: ("server-off", "Something went wrong on our side."),
    503: ("server-off", "A part of this service does not answer."),
}
_ELSE = ("alert-triangle", "This did not work.")
_TRY: Mapping[int, str] = {
    404: "Search for it, or start at Home.",
    503: "Try again in a moment. What runs keeps running.",
}


def error_page(request: Request, problem: Problem) -> Response:
    """The page for a problem. It reads nothing, so that it shows when the database does not answer."""
    icon, sentence = _SENTENCES.get(problem.status, _ELSE)
    view = ErrorPage(
        status=problem.status,
        icon=icon,
        sentence=sentence,
        detail=problem.detail,
        remedy=problem.remedy or _TRY.get(problem.status, ""),
        request_id=problem.request_id,
        fields=tuple(f"{one.field}: {one.detail}" for one in problem.errors) if len(problem.errors) > 1 else (),
        home=True,
    )
    return page("error.html", bare_shell(request), view, status=problem.status)
