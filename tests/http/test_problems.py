from __future__ import annotations

import pytest
from starlette.responses import HTMLResponse

from governance import errors
from governance.http.problems import Problem, problem_of
from tests.http.site import Site

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
TREE: list[type[errors.GovernanceError]] = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.GovernanceError)
]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_each_error_of_the_tree_is_a_problem_with_its_own_type(kind: type[errors.GovernanceError]) -> None:
    document = problem_of(kind("It broke.", field="a.b", remedy="Mend it."), "r1").document()
    assert document == {
        "type": document["type"],
        "title": kind.title,
        "status": kind.status,
        "detail": "It broke.",
        "field": "a.b",
        "remedy": "Mend it.",
        "request_id": "r1",
    }
    assert document["type"].startswith("urn:governance:problem:")


def test_no_two_errors_have_the_same_type() -> None:
    types = {problem_of(kind("It broke."), "r1").type for kind in TREE}
    assert len(types) == len(TREE)
    assert "urn:governance:problem:stale-version" in types


def test_a_problem_document_has_its_media_type_and_status(site: Site) -> None:
    answer = site.client.get("/conflict", headers={"X-Request-ID": "r1"})
    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "Somebody <b>else</b> was first."
    assert answer.json()["request_id"] == "r1"


def test_an_unknown_error_tells_its_id_and_nothing_else(site: Site) -> None:
    for path, headers in (("/broken", {}), ("/broken", HTML), ("/api/broken", HTML)):
        answer = site.client.get(path, headers=headers | {"X-Request-ID": "r1"})
        assert answer.status_code == 500
        assert "r1" in answer.text
        for secret in ("SELECT", "vault", "RuntimeError", "Traceback", ".py"):
            assert secret not in answer.text


def test_a_part_that_does_not_answer_says_when_to_try_again(site: Site) -> None:
    for headers in ({}, HTML):
        answer = site.client.get("/gone", headers=headers)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0


def test_a_wrong_body_names_each_field_and_repeats_no_value(site: Site) -> None:
    answer = site.client.post("/wish", json={"replicas": "many", "password": ["hunter2"]})
    assert answer.status_code == 422
    document = answer.json()
    assert [(one["field"], one["location"]) for one in document["errors"]] == [
        ("replicas", "body"),
        ("password", "body"),
    ]
    assert document["field"] == "replicas"
    assert "hunter2" not in answer.text
    assert "many" not in answer.text


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 1500, b'{"replicas": 1,}', b'{"replicas": 1'])
def test_a_body_that_cannot_be_read_is_malformed(site: Site, body: bytes) -> None:
    answer = site.client.post("/wish", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b"{}"])
def test_a_body_of_the_wrong_shape_is_invalid(site: Site, body: bytes) -> None:
    answer = site.client.post("/wish", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_an_address_or_method_that_does_not_exist_is_a_problem_too(site: Site) -> None:
    nowhere, method = site.client.get("/nowhere"), site.client.delete("/page")
    assert (nowhere.status_code, nowhere.json()["title"]) == (404, "Not Found")
    assert (method.status_code, method.headers["Allow"]) == (405, "GET")
    assert site.client.delete("/me").headers["Allow"] == "GET, POST, PUT"  # of three routes at one address


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (HTML["Accept"], True),
        ("text/html", True),
        ("TEXT/HTML;q=0.5", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("text/html;q=0.4, application/json;q=0.5", False),
        ("text/html;q=0.5, application/problem+json", False),
        ("text/html;q=0", False),
        ("text/html;q=nonsense", False),
        (";;,,q=1", False),
    ],
)
def test_a_page_is_for_those_who_ask_for_one(site: Site, accept: str, *, page: bool) -> None:
    answer = site.client.get("/conflict", headers={"Accept": accept})
    assert answer.status_code == 409
    assert answer.headers["Content-Type"].startswith("text/html" if page else "application/problem+json")


def test_a_page_shows_what_happened_escaped_with_what_to_do_and_its_number(site: Site) -> None:
    answer = site.client.get("/conflict", headers=HTML | {"X-Request-ID": "r1"})
    assert "Somebody &lt;b&gt;else&lt;/b&gt; was first." in answer.text
    assert "Read it again." in answer.text
    assert "r1" in answer.text


def test_a_page_that_is_registered_is_used(own_site: Site) -> None:
    def page(_request: object, problem: Problem) -> HTMLResponse:
        return HTMLResponse(f"ours: {problem.title}", problem.status)

    own_site.app.state.error_page = page
    answer = own_site.client.get("/nowhere", headers=HTML)
    assert (answer.status_code, answer.text) == (404, "ours: Not Found")
