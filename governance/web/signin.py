"""Sign-in of people with a browser: to the identity provider and back, or, in the demo alone, by choosing a person."""

from __future__ import annotations

import hmac
import html
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, FastAPI, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from governance.db.session import reading, transaction
from governance.errors import BadInput, Forbidden, NotFound, Unauthenticated
from governance.http import sessions
from governance.http.permissions import public, requires, visitor
from governance.http.problems import SIGN_IN_PATH, request_id_of, sign_in_url
from governance.http.rates import limited_sign_in
from governance.identity import people
from governance.identity.model import Permission, Principal
from governance.identity.oidc import Identity, Provider
from governance.identity.tables import Person
from governance.settings import Settings

Next = Annotated[str, Query(alias="next", max_length=2000)]
_PATH_CHARACTERS_MAX = 2000

log = structlog.get_logger(__name__)
router = APIRouter(include_in_schema=False)
demo_router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody whom a visitor of the demo may choose to be."""

    name: str
    display_name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the sign-in page shows. `start_url` leads to the identity provider; `demo_people` are there in the demo."""

    next_path: str
    start_url: str
    demo_url: str
    demo_people: tuple[DemoPerson, ...] = ()


SignInPage = Callable[[Request, SignIn], Response]


def mount(app: FastAPI, settings: Settings, *, page: SignInPage | None = None) -> None:
    """Add the sign-in routes; those of the demo only under demo settings. `page` renders the sign-in page."""
    app.state.sign_in_page = page or plain_sign_in_page
    app.include_router(router)
    if settings.environment == "demo":
        mount_demo(app, settings)


def mount_demo(app: FastAPI, settings: Settings) -> None:
    """Add the route by which anybody signs in as anybody. Raises BadInput outside of the demo."""
    if settings.environment != "demo":
        raise BadInput(
            "Sign-in without an identity provider is for the demo alone.",
            field="environment",
            remedy="Set oidc.issuer and oidc.client_id.",
        )
    app.include_router(demo_router)


@router.get(SIGN_IN_PATH)
def sign_in(
    request: Request, principal: Annotated[Principal | None, Depends(visitor)], next_path: Next = "/"
) -> Response:
    """The page that says who signs in where. Who is signed in already goes on."""
    here = safe_next(next_path)
    if principal is not None:
        return RedirectResponse(here, status_code=303)
    page: SignInPage = request.app.state.sign_in_page
    return page(
        request,
        SignIn(
            next_path=here,
            start_url=sign_in_url(here).replace(SIGN_IN_PATH, f"{SIGN_IN_PATH}/start", 1),
            demo_url=f"{SIGN_IN_PATH}/demo",
            demo_people=_demo_people(request),
        ),
    )


@router.get(f"{SIGN_IN_PATH}/start", dependencies=[Depends(public), Depends(limited_sign_in)])
def start(request: Request, next_path: Next = "/") -> Response:
    """Leave for the identity provider.

    A GET, because browsers hold a form's whole chain of redirects to `form-action`, which would have to name every
    host behind the provider. A foreign site can start a sign-in by it, but the way back ends in this browser's own.
    """
    state = request.app.state
    departure = _provider(request).depart()
    remembered = {
        "state": departure.state,
        "nonce": departure.nonce,
        "code_verifier": departure.code_verifier,
        "next": safe_next(next_path),
    }
    with transaction(state.engine) as session:
        token = sessions.begin_sign_in(session, remembered, state.clock())
    response = RedirectResponse(departure.url, status_code=303)
    name = sessions.cookies(state.settings).sign_in
    sessions.set_cookie(response, state.settings, name, token, sessions.SIGN_IN_LASTS)
    return response


@router.get(f"{SIGN_IN_PATH}/callback", dependencies=[Depends(public), Depends(limited_sign_in)])
def callback(
    request: Request,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Back from the identity provider: who it says is here becomes the person of this session, if we know them."""
    app = request.app.state
    names = sessions.cookies(app.settings)
    now = app.clock()
    with transaction(app.engine) as session:
        remembered = sessions.take_sign_in(session, request.cookies.get(names.sign_in, ""), now)
    if remembered is None or not hmac.compare_digest(remembered["state"].encode(), state.encode()):
        raise Forbidden(
            "This sign-in was not started here, was used already, or took longer than ten minutes.",
            remedy="Sign in again.",
        )
    if error or not code:
        log.info("sign-in refused by the provider", error=error)
        raise Forbidden("The identity provider did not sign you in.", remedy="Sign in again.")
    try:
        identity = _provider(request).arrive(code, remembered["code_verifier"], remembered["nonce"], now)
    except Unauthenticated as refused:  # a redirect to the sign-in page would only send the browser round and round
        raise Forbidden(refused.detail, remedy=refused.remedy) from refused
    response = _signed_in(request, identity, remembered["next"])
    sessions.drop_cookie(response, app.settings, names.sign_in)
    return response


@router.post("/sign-out")
def sign_out(request: Request, principal: Annotated[Principal, Depends(requires(Permission.PROFILE))]) -> Response:
    """End this session, on the server too."""
    state = request.app.state
    name = sessions.cookies(state.settings).session
    with transaction(state.engine) as session:
        sessions.close_session(
            session, request.cookies.get(name, ""), principal, state.clock(), request_id=request_id_of(request)
        )
    response = RedirectResponse(SIGN_IN_PATH, status_code=303)
    sessions.drop_cookie(response, state.settings, name)
    return response


@demo_router.post(f"{SIGN_IN_PATH}/demo", dependencies=[Depends(public)])
def sign_in_to_the_demo(
    request: Request,
    person: Annotated[str, Form(max_length=200)],
    next_path: Annotated[str, Form(alias="next", max_length=_PATH_CHARACTERS_MAX)] = "/",
) -> Response:
    """Sign in as one of the demo's people. No form token: nobody is signed in yet; other sites are refused."""
    with reading(request.app.state.engine) as session:
        chosen = people.person_by_name(session, person)
    if not chosen.active:
        raise NotFound(f"{chosen.display_name} is no longer active.", field="person")
    return _open(request, chosen, safe_next(next_path), reason="chose this person in the demo")


def safe_next(path: str) -> str:
    """The path if it is one of ours to return to, else `/`: a sign-in must never lead to another site.

    Browsers read `//host`, `/\\host` and what control characters hide as other sites.
    """
    ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    if not ours or path.startswith(SIGN_IN_PATH) or len(path) > _PATH_CHARACTERS_MAX:
        return "/"
    return path


def plain_sign_in_page(_request: Request, view: SignIn) -> Response:
    """The sign-in page where no other is given to `mount`."""
    choices = "".join(
        f'<button name="person" value="{html.escape(one.name)}">{html.escape(one.display_name)}</button>'
        for one in view.demo_people
    )
    here = html.escape(view.next_path)
    demo = (
        f'<form method="post" action="{view.demo_url}"><input type="hidden" name="next" value="{here}">{choices}</form>'
    )
    start = f'<p><a href="{html.escape(view.start_url)}">Sign in</a></p>'
    body = demo if view.demo_people else start
    return HTMLResponse(f'<!doctype html><html lang="en"><title>Sign in</title><h1>Sign in</h1>{body}')


def _signed_in(request: Request, identity: Identity, next_path: str) -> Response:
    state = request.app.state
    try:
        with reading(state.engine) as session:
            person = people.known_person(session, identity.subject, identity.email)
    except Forbidden as refused:
        with transaction(state.engine) as session:
            sessions.note_refusal(session, identity, refused, state.clock(), request_id_of(request))
        raise
    return _open(request, person, next_path, reason=f"identity provider: {identity.subject}")


def _open(request: Request, person: Person, next_path: str, *, reason: str) -> Response:
    state = request.app.state
    name = sessions.cookies(state.settings).session
    lasts = timedelta(hours=state.settings.web.session_hours)
    with transaction(state.engine) as session:
        token = sessions.open_session(
            session,
            person,
            state.clock(),
            lasts,
            replaces=request.cookies.get(name),
            reason=reason,
            request_id=request_id_of(request),
        )
    response = RedirectResponse(next_path, status_code=303)
    sessions.set_cookie(response, state.settings, name, token, lasts)
    return response


def _demo_people(request: Request) -> tuple[DemoPerson, ...]:
    state = request.app.state
    if state.settings.environment != "demo":
        return ()
    with reading(state.engine) as session:
        return tuple(
            DemoPerson(one.name, one.display_name, tuple(sorted({held.role for held in principal.roles})))
            for one in people.active_people(session)
            for principal in [people.principal_of(session, one, state.clock())]
        )


def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.oidc
    return provider
