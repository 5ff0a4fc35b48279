from __future__ import annotations

from typing import Any

import httpx
import pytest

from governance.configuration.model import SourceFile
from tests.api.conftest import Api
from tests.configuration.manifests import example, small


def sent(files: list[SourceFile]) -> list[dict[str, str]]:
    return [{"name": one.name, "text": one.content.decode()} for one in files]


def plan(api: Api, files: list[SourceFile], person: str = "sato") -> httpx.Response:
    return api.call(person, "POST", "/configuration/plan", json={"files": sent(files)})


def test_a_plan_of_what_is_in_force_changes_nothing(api: Api) -> None:
    answer = plan(api, example())
    assert answer.status_code == 200
    assert (answer.json()["base"], answer.json()["changes"]) == (1, [])


def test_an_apply_makes_a_revision_by_the_person_who_applied(api: Api) -> None:
    files = [one for one in example() if one.name != "rules.yaml"]
    refused = api.call("sato", "POST", "/configuration/apply", json={"files": sent(files), "base": 1})
    assert refused.status_code == 409
    assert "ApprovalRule/" in refused.json()["detail"]
    wanted = {"files": sent(files), "base": 1, "deletes": True}
    done = api.call("sato", "POST", "/configuration/apply", json=wanted).json()
    assert done["revision"] == 2
    assert {one["action"] for one in done["changes"]} == {"delete"}
    newest = api.call("sato", "GET", "/configuration/revisions").json()["items"][0]
    assert (newest["number"], newest["applied_by"]) == (2, "sato")
    again = api.call("sato", "POST", "/configuration/apply", json=wanted)
    assert (again.status_code, again.json()["field"]) == (409, "base")


def test_bad_files_are_a_problem_document_with_file_and_line_of_each(api: Api) -> None:
    bad = SourceFile(
        "bad.yaml", b"apiVersion: governance.io/v1\nkind: Group\nmetadata: {name: x}\nspec: {member: []}\n"
    )
    answer = plan(api, [*example(), bad])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [(one["file"], one["line"], one["field"], one["detail"]) for one in answer.json()["errors"]] == [
        ("bad.yaml", 4, "Group/x spec.member", "Unknown field."),
        ("bad.yaml", 4, "Group/x spec.members", "It is missing."),
    ]


@pytest.mark.parametrize("person", ["okafor", "lindqvist", "brandt", "deployer"])
def test_only_an_administrator_applies(api: Api, person: str) -> None:
    answer = api.call(person, "POST", "/configuration/apply", json={"files": sent(small())})
    assert answer.status_code == 403


def test_a_service_of_one_department_does_not_see_a_plan_of_the_whole(api: Api) -> None:
    assert plan(api, example(), "deployer").status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"files": "x"}, 422),
        ({"files": [{"name": "", "text": ""}]}, 422),
        ({"files": [], "extra": 1}, 422),
        ({"files": [{"name": "a.yaml", "text": "x" * 1_100_000}]}, 413),
        ({"files": []}, 422),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(api: Api, body: dict[str, Any], status: int) -> None:
    answer = api.call("sato", "POST", "/configuration/plan", json=body)
    assert answer.status_code == status
    assert answer.json()["title"]


def test_revisions_are_read_a_page_at_a_time(api: Api) -> None:
    for title in ("One", "Two"):
        files = small({"Department/imaging": {"title": title, "parent": "hospital"}})
        api.call("sato", "POST", "/configuration/apply", json={"files": sent(files), "deletes": True})
    first = api.call("sato", "GET", "/configuration/revisions?limit=2").json()
    assert [one["number"] for one in first["items"]] == [3, 2]
    second = api.call("sato", "GET", f"/configuration/revisions?limit=2&cursor={first['next']}").json()
    assert ([one["number"] for one in second["items"]], second["next"]) == ([1], "")
    assert api.call("sato", "GET", "/configuration/revisions?cursor=zzz").status_code == 422


def test_manifests_are_read_as_they_are_in_force_or_were(api: Api) -> None:
    before = api.call("brandt", "GET", "/configuration/manifests?kind=Group").json()
    assert [one["metadata"]["name"] for one in before] == ["platform"]
    api.call("sato", "POST", "/configuration/apply", json={"files": sent(small()), "deletes": True})
    old = api.call("sato", "GET", "/configuration/revisions/1/manifests").json()
    assert before[0] in old
    assert api.call("sato", "GET", "/configuration/revisions/3/manifests").status_code == 404
