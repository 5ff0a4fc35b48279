from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import delete
from starlette.applications import Starlette
from starlette.staticfiles import StaticFiles

from governance.api import ground
from governance.db.session import transaction
from governance.http.permissions import (
    BACKGROUND_HEADER,
    public,
    refuse_undeclared,
    requires,
    undeclared_routes,
    visitor,
)
from governance.identity import tokens
from governance.identity.model import EVERY_SCOPE, Permission
from governance.identity.tables import RoleBinding
from governance.web import signin
from tests.http.site import Site, as_cookie, demo
from tests.identity.organisation import statements


def browser(site: Site, person: str) -> dict[str, str]:
    return as_cookie(site.client.post("/sign-in/demo", data={"person": person}))


def bearer(site: Site, person: str, *scopes: str) -> dict[str, str]:
    with transaction(site.hospital.engine) as session:
        created = tokens.create(
            session,
            person_id=site.hospital.people[person].id,
            name="test",
            scopes=scopes or EVERY_SCOPE,
            valid_for=timedelta(hours=1),
            now=site.clock(),
            actor=person,
        )
    return {"Authorization": f"Bearer {created.secret}"}


def test_who_is_signed_in_is_known_by_cookie_or_token_with_one_read(site: Site) -> None:
    token = bearer(site, "okafor")
    site.client.get("/me", headers=token)  # the first use of a minute is written down
    for headers in (browser(site, "okafor"), token):
        with statements(site.hospital.engine) as sent:
            assert site.client.get("/me", headers=headers).json() == "okafor"
        assert len(sent) == 1


def test_a_browser_in_which_nobody_does_anything_is_signed_out_and_one_in_use_is_not(site: Site) -> None:
    used, idle = browser(site, "okafor"), browser(site, "lindqvist")
    background = idle | {BACKGROUND_HEADER: "1"}
    for _ in range(3):
        site.clock.move(timedelta(minutes=20))
        assert site.client.get("/me", headers=used).status_code == 200
        answered = site.client.get("/me", headers=background).status_code
    assert answered == 401, "a page that refreshes itself keeps nobody signed in"


def test_a_token_needs_no_form_token_because_no_browser_sends_it_by_itself(site: Site) -> None:
    assert site.client.post("/me", headers=bearer(site, "okafor")).json() == "okafor"


def test_a_wrong_token_is_refused_even_beside_a_good_cookie(site: Site) -> None:
    headers = browser(site, "okafor") | {"Authorization": "Bearer gov_wrong"}
    assert site.client.get("/me", headers=headers).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Basic eDp5", "gov_x", "Bearer a b", "Bearer é"])
def test_a_header_that_holds_no_token_signs_nobody_in(site: Site, header: str) -> None:
    assert site.client.get("/me", headers={b"Authorization": header.encode()}).status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "é", "x" * 4000])
def test_a_cookie_that_is_no_session_signs_nobody_in(site: Site, cookie: str) -> None:
    assert site.client.get("/me", headers={b"Cookie": f"governance={cookie}".encode()}).status_code == 401


def test_only_who_has_the_permission_gets_in(site: Site) -> None:
    assert site.client.get("/configuration", headers=browser(site, "sato")).json() == "sato"
    refused = site.client.get("/configuration", headers=browser(site, "okafor"))
    assert refused.status_code == 403
    assert "Dr. Okafor may not do this: Make a set of manifests" in refused.json()["detail"]
    assert "configuration:apply" in refused.json()["remedy"]


def test_a_token_without_the_scope_does_not_get_in(site: Site) -> None:
    assert site.client.get("/configuration", headers=bearer(site, "sato")).status_code == 200
    assert site.client.get("/configuration", headers=bearer(site, "sato", "profile")).status_code == 403


def test_a_role_that_was_taken_away_is_gone_at_once(own_site: Site) -> None:
    cookie = browser(own_site, "sato")
    with transaction(own_site.hospital.engine) as session:
        session.execute(delete(RoleBinding))
    assert own_site.client.get("/configuration", headers=cookie).status_code == 403


def test_a_page_leads_to_the_sign_in_and_back(site: Site) -> None:
    answer = site.client.get("/me?filter=a%26b", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=/me%3Ffilter%3Da%2526b"
    page = site.client.get(answer.headers["Location"])
    assert 'name="next" value="/me?filter=a%26b"' in page.text


def test_a_form_of_a_session_that_ended_is_not_lost_by_a_redirect(site: Site) -> None:
    answer = site.client.post("/me", headers={"Accept": "text/html"}, data={"note": "long"})
    assert answer.status_code == 401
    assert "You are not signed in." in answer.text


def test_a_part_of_a_page_sends_the_whole_page_to_the_sign_in(site: Site) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://127.0.0.1:8080/changes?a=1"}
    answer = site.client.get("/me", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/changes%3Fa%3D1"


def test_a_program_is_told_that_a_token_is_needed(site: Site) -> None:
    answer = site.client.get("/api/me", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/problem+json"


def nothing() -> None:
    """An endpoint."""


def with_router() -> FastAPI:
    app, inner, outer = FastAPI(docs_url=None, redoc_url=None), APIRouter(), APIRouter(prefix="/outer")
    inner.add_api_route("/inner", nothing, methods=["GET"])
    outer.include_router(inner, prefix="/deep")
    app.include_router(outer)
    return app


def with_mount() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.mount("/other", Starlette(), name="other")
    return app


def with_plain_route() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.add_route("/plain", nothing, methods=["GET"])  # type: ignore[arg-type]  # never called
    return app


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (with_router, ["GET /outer/deep/inner"]),
        (with_mount, ["ANY /other"]),
        (with_plain_route, ["GET,HEAD /plain"]),
        (lambda: FastAPI(redoc_url=None), ["GET,HEAD /docs", "GET,HEAD /docs/oauth2-redirect"]),
    ],
)
def test_a_route_that_declares_nothing_is_found_wherever_it_hides(
    make: Callable[[], FastAPI], found: list[str]
) -> None:
    app = make()
    assert undeclared_routes(app) == found
    with pytest.raises(RuntimeError, match="without a declared permission"):
        refuse_undeclared(app)


@pytest.mark.parametrize("declared", [public, visitor, requires(Permission.AUDIT_READ)])
def test_a_declaration_on_route_router_or_app_counts(declared: Callable[..., object], tmp_path: Path) -> None:
    on_route, on_router = FastAPI(docs_url=None, redoc_url=None), FastAPI(docs_url=None, redoc_url=None)
    on_app = FastAPI(docs_url=None, redoc_url=None, dependencies=[Depends(declared)])
    on_route.add_api_route("/a", nothing, dependencies=[Depends(declared)])
    router = APIRouter(dependencies=[Depends(declared)])
    router.add_api_route("/b", nothing)
    on_router.include_router(router)
    on_app.add_api_route("/c", nothing)
    on_app.mount("/static", StaticFiles(directory=tmp_path), name="static")
    assert [undeclared_routes(app) for app in (on_route, on_router, on_app)] == [[], [], []]


def test_a_declaration_below_another_dependency_counts() -> None:
    def page(_principal: Annotated[object, Depends(requires(Permission.PROFILE))]) -> None:
        """A dependency that asks for a permission itself."""

    app = FastAPI(docs_url=None, redoc_url=None)
    app.add_api_route("/a", nothing, dependencies=[Depends(page)])
    assert undeclared_routes(app) == []


def test_sign_in_and_the_ground_of_the_api_declare_theirs() -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    signin.mount(app, demo())
    app.include_router(ground.api())
    assert undeclared_routes(app) == []
    refuse_undeclared(app)
