"""Puts the pages on an app that stands on its ground (`governance.http.ground`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI

from governance.policy.model import Rule
from governance.settings import Settings
from governance.web import assets, signin
from governance.web.pages import asks, changes, emergencies, mails, reading
from governance.web.pages.errors import error_page
from governance.web.pages.frame import Pages
from governance.web.pages.signing_in import sign_in_page
from governance.web.queries.frame import ENTRIES, MAILS, Entries


def mount_pages(
    app: FastAPI, settings: Settings, rules: Callable[[], Mapping[str, Rule]], *, entries: Entries = ()
) -> None:
    """Add every page, the sign-in, the error page and the assets.

    Args:
        rules: METADATA of the policy in force, by code.
        entries: what other rooms add to the navigation.

    Raises:
        Unavailable: the assets were never built.
    """
    assets.names()
    demo = settings.environment == "demo"
    shown = (*ENTRIES, *entries, *((MAILS,) if demo else ()))
    app.state.pages = Pages(rules=rules, entries=shown, demo=demo)
    app.state.error_page = error_page
    for router in (assets.router, reading.router, changes.router, asks.router, emergencies.router):
        app.include_router(router)
    if demo:
        app.include_router(mails.router)
    signin.mount(app, settings, page=sign_in_page)
