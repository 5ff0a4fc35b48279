"""The demo's mails: nobody has a mail server at hand, so what would be sent is shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from governance.http.permissions import requires
from governance.identity.model import Permission, Principal
from governance.web.pages.frame import show
from governance.web.queries.mails import mail, mails

router = APIRouter(include_in_schema=False)
Anybody = Annotated[Principal, Depends(requires(Permission.PROFILE))]
_HERE = "/demo/mails"


@router.get("/demo/mails")
def mail_list(request: Request, principal: Anybody) -> Response:
    """Every mail of the demo."""
    del principal
    url = request.app.state.settings.web.public_url
    return show(request, "mails.html", _HERE, lambda session, reader: mails(session, reader, url))


@router.get("/demo/mails/{mail_id}")
def mail_page(request: Request, mail_id: str, principal: Anybody) -> Response:
    """One mail."""
    del principal
    url = request.app.state.settings.web.public_url
    return show(request, "mails.html", _HERE, lambda session, reader: mail(session, reader, mail_id, url))
