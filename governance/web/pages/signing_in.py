"""The sign-in page."""

from __future__ import annotations

from fastapi import Request, Response

from governance.web.pages.frame import bare_shell
from governance.web.render import page
from governance.web.signin import SignIn
from governance.web.views.other import SignInChoice, SignInPage
from governance.web.views.parts import Somebody


def sign_in_page(request: Request, view: SignIn) -> Response:
    """Where to sign in, or, in the demo, who to be."""
    people = tuple(
        SignInChoice(one.name, Somebody(one.display_name), ", ".join(one.roles) or "speaks for a group")
        for one in view.demo_people
    )
    shown = SignInPage(start_url=view.start_url, demo_url=view.demo_url, next_path=view.next_path, people=people)
    return page("sign_in.html", bare_shell(request), shown)
