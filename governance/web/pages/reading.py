"""Pages that only read: Home, decisions, quotas, search, keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from governance.http.permissions import requires
from governance.identity.model import Permission, Principal
from governance.web.pages.frame import Pages, show
from governance.web.queries import decisions, quotas
from governance.web.queries.home import home
from governance.web.queries.search import search
from governance.web.views.other import Keys

router = APIRouter(include_in_schema=False)
Words = Annotated[str, Query(max_length=200)]
Anybody = Annotated[Principal, Depends(requires(Permission.PROFILE))]
SeesDecisions = Annotated[Principal, Depends(requires(Permission.DECISION_READ))]
SeesQuotas = Annotated[Principal, Depends(requires(Permission.QUOTA_READ))]


@router.get("/")
def home_page(request: Request, principal: Anybody) -> Response:
    """What waits, what is mine, what runs out."""
    del principal
    return show(request, "home.html", "/", home)


@router.get("/decisions")
def decision_list(
    request: Request,
    principal: SeesDecisions,
    outcome: Words = "",
    days: Words = "7",
    text: Words = "",
    before: Words = "",
) -> Response:
    """The decisions that the reader may see."""
    del principal
    wanted = decisions.Wanted(outcome, days, text.strip(), before)
    return show(
        request,
        "decisions.html",
        "/decisions",
        lambda session, reader: decisions.decision_list(session, reader, wanted),
    )


@router.get("/decisions/{decision_id}")
def decision_page(request: Request, decision_id: str, principal: SeesDecisions) -> Response:
    """One decision, explained."""
    del principal
    pages: Pages = request.app.state.pages
    return show(
        request,
        "decision.html",
        "/decisions",
        lambda session, reader: decisions.decision_page(session, reader, decision_id, pages.rules()),
    )


@router.get("/quotas")
def quota_tree(request: Request, principal: SeesQuotas) -> Response:
    """Every department and project that the reader may see."""
    del principal
    return show(request, "quotas.html", "/quotas", quotas.quota_tree)


@router.get("/quotas/{kind}/{name}")
def quota_page(request: Request, kind: str, name: str, principal: SeesQuotas) -> Response:
    """One department or project."""
    del principal
    return show(request, "quota.html", "/quotas", lambda session, reader: quotas.node_page(session, reader, kind, name))


@router.get("/search")
def search_page(
    request: Request, principal: Anybody, text: Annotated[str, Query(alias="q", max_length=200)] = ""
) -> Response:
    """What is found for these words."""
    del principal
    return show(request, "search.html", "", lambda session, reader: search(session, reader, text))


@router.get("/keys")
def keys_page(request: Request, principal: Anybody) -> Response:
    """The keys, for whom the dialog does not open."""
    del principal
    return show(request, "keys.html", "", lambda _session, _reader: Keys())
