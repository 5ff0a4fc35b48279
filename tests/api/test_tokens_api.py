from __future__ import annotations

import httpx

from tests.api.conftest import Api, token_of


def make(api: Api, caller: str, **wish: object) -> httpx.Response:
    return api.call(caller, "POST", "/tokens", json={"name": "ci", "scopes": ["change:read"], **wish})


def test_a_token_is_made_used_and_revoked(api: Api) -> None:
    made = make(api, "okafor").json()
    api.tokens["ci"] = made["secret"]
    assert api.call("ci", "GET", "/changes").status_code == 200
    assert api.call("ci", "GET", "/decisions").status_code == 403
    listed = api.call("okafor", "GET", "/tokens").json()
    assert made["id"] in [one["id"] for one in listed]
    assert "secret" not in listed[0]
    assert api.call("okafor", "DELETE", f"/tokens/{made['id']}").status_code == 204
    assert api.call("ci", "GET", "/changes").status_code == 401


def test_nobody_revokes_or_lists_the_tokens_of_another(api: Api) -> None:
    made = make(api, "okafor").json()
    assert api.call("lindqvist", "DELETE", f"/tokens/{made['id']}").status_code == 404
    assert api.call("lindqvist", "GET", "/tokens?person=okafor").status_code == 403
    assert api.call("sato", "DELETE", f"/tokens/{made['id']}").status_code == 204


def test_an_administrator_makes_tokens_for_services_and_for_nobody_else(api: Api) -> None:
    assert make(api, "sato", person="deployer").status_code == 201
    refused = make(api, "sato", person="lindqvist", scopes=["change:review"])
    assert (refused.status_code, refused.json()["field"]) == (403, "person")
    assert make(api, "okafor", person="deployer").status_code == 403
    assert make(api, "sato", person="nobody").status_code == 404


def test_a_token_cannot_make_a_wider_one(api: Api) -> None:
    api.tokens["narrow"] = token_of(api.engine, "okafor", ("token:own", "change:read"))
    assert make(api, "narrow").status_code == 201
    assert make(api, "narrow", scopes=["change:ask"]).status_code == 403


def test_a_wish_that_makes_no_sense_is_refused_with_its_field(api: Api) -> None:
    for wish, field in (({"scopes": []}, "scopes"), ({"days": 0}, "days"), ({"name": ""}, "name")):
        answer = make(api, "okafor", **wish)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert make(api, "okafor", scopes=["all"]).json()["field"] == "scopes"
