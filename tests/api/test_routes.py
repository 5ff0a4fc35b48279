from __future__ import annotations

from typing import Any

import pytest

from governance.http.permissions import undeclared_routes
from tests.api.conftest import Api

ANY_ID = "00000000-0000-7000-8000-000000000000"


def operations(api: Api) -> list[tuple[str, str]]:
    described: dict[str, Any] = api.app.openapi()
    return [
        (method.upper(), path)
        for path, methods in described["paths"].items()
        for method in methods
        if not path.endswith(("/session", "/session/device"))
        and method != "options"  # a handshake, by which nobody learns anything
    ]


def test_every_route_declares_its_permission(api: Api) -> None:
    assert undeclared_routes(api.app) == []


def test_nothing_is_answered_without_a_token(api: Api) -> None:
    for method, path in operations(api):
        filled = path.replace("{number}", "CH-1").replace("{reference}", "radiology").replace("{name}", "x")
        url = (
            filled.replace("{decision_id}", ANY_ID)
            .replace("{token_id}", ANY_ID)
            .replace("{job_id}", ANY_ID)
            .replace("{posting}", ANY_ID)
            .removeprefix("/api/v1")
        )
        assert api.call(None, method, url).status_code == 401, (method, path)


def test_the_description_is_openapi_3_1_and_names_every_error_document(api: Api) -> None:
    described = api.app.openapi()
    assert described["openapi"].startswith("3.1")
    for methods in described["paths"].values():
        for operation in methods.values():
            assert "application/problem+json" in operation["responses"]["403"]["content"]
            assert operation["summary"]


@pytest.mark.parametrize("person", ["okafor", "sato"])
def test_what_a_person_may_not_see_is_not_there(api: Api, person: str) -> None:
    assert api.call(person, "GET", f"/decisions/{ANY_ID}").status_code == 404
    assert api.call(person, "GET", "/changes/CH-99").status_code == 404
    assert api.call(person, "DELETE", f"/tokens/{ANY_ID}").status_code == 404
