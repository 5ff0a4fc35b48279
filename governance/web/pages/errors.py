"""The error page: what happened, what to try, and the number under which it stands in the logs."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

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
_PASSING = frozenset({429, 500, 503})  # what may be over when the page is opened again
_TRY: Mapping[int, str] = {
    404: "Search for it, or start at Home.",
    503: "Try again in a moment. What runs keeps running.",
}


def error_page(request: Request, problem: Problem) -> Response:
    """The page for a problem. It reads nothing, so that it shows when the database does not answer."""
    icon, sentence = _SENTENCES.get(problem.status, _ELSE)
    again, href = _way_on(request, problem.status)
    view = ErrorPage(
        status=problem.status,
        icon=icon,
        sentence=sentence,
        detail=problem.detail,
        remedy=problem.remedy or _TRY.get(problem.status, ""),
        request_id=problem.request_id,
        fields=tuple(f"{one.field}: {one.detail}" for one in problem.errors) if len(problem.errors) > 1 else (),
        again=again,
        again_href=href,
    )
    return page("error.html", bare_shell(request), view, status=problem.status)


def _way_on(request: Request, status: int) -> tuple[str, str]:
    """Where to go on: the same page where it may answer now, the page with the form where a form could not be taken."""
    if request.method in {"GET", "HEAD"}:
        return ("Try again", _here(request.url.path, request.url.query)) if status in _PASSING else ("", "")
    came_from = urlsplit(request.headers.get("referer", ""))
    if came_from.netloc != request.url.netloc:
        return "", ""
    return "Back to the form", _here(came_from.path, came_from.query)


def _here(path: str, query: str) -> str:
    # One slash: a path that begins with two would lead to another host.
    return f"/{path.lstrip('/')}{f'?{query}' if query else ''}"
