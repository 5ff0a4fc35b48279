from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import select

from governance import clock
from governance.db.session import transaction
from governance.identity.people import person_by_name
from governance.identity.tables import Node, RoleBinding
from tests.api.conftest import Api, token_of
from tests.api.rows import GPU, deny
from tests.identity import delegates


def ask(api: Api, decision: UUID, person: str = "okafor", **wish: object) -> httpx.Response:
    usual = {"decision_id": str(decision), "reason": "Backlog.", "valid_until": until(7)}
    return api.call(person, "POST", "/changes", json=usual | wish)


def until(days: int) -> str:
    return (clock.now() + timedelta(days=days)).isoformat()


def say(api: Api, person: str, what: str, **said: object) -> httpx.Response:
    return api.call(person, "POST", f"/changes/CH-1/{what}", json={"version": 1, "note": "", **said})


@pytest.fixture
def asked(api: Api) -> dict[str, Any]:
    answer = ask(api, deny(api.engine))
    assert answer.status_code == 201
    found: dict[str, Any] = answer.json()
    return found


def test_asking_makes_one_change_that_says_what_is_needed(api: Api) -> None:
    decision = deny(api.engine)
    first, again = ask(api, decision).json(), ask(api, decision).json()
    assert first["number"] == again["number"] == "CH-1"
    assert (first["state"], first["requester"], first["after"]) == ("pending", "Dr. A. Okafor", {GPU: "8"})
    (need,) = first["needs"]
    assert (need["group"], need["missing"]) == ("approver@radiology", 1)
    assert need["could_approve"] == ["M. Lindqvist", "Prof. J. Ferreira"]
    assert first["may_review"] is False
    assert "someone else must decide" in first["may_not_review_because"]


def test_an_approval_makes_the_grant(api: Api, asked: dict[str, Any]) -> None:
    assert asked["grant"] is None
    done = say(api, "lindqvist", "approve", note="Room until Monday.").json()
    assert (done["state"], done["grant"]["state"]) == ("approved", "active")
    assert [(one["person"], one["verdict"]) for one in done["reviews"]] == [("M. Lindqvist", "approve")]


def test_an_approval_can_be_for_less_and_until_an_earlier_date(api: Api, asked: dict[str, Any]) -> None:
    assert asked["version"] == 1
    done = say(api, "lindqvist", "approve", at_most={GPU: "4"}, until=until(2)).json()
    assert done["grant"]["ceiling"] == {GPU: 4}
    assert done["grant"]["valid_until"][:10] == until(2)[:10]


def test_nobody_approves_what_they_asked_for_or_may_not_decide(api: Api, asked: dict[str, Any]) -> None:
    assert asked["may_review"] is False
    for person in ("okafor", "adeyemi", "sato", "deployer"):
        answer = say(api, person, "approve")
        assert answer.status_code in {403, 404}, person
    assert api.call("okafor", "GET", "/changes/CH-1").json()["state"] == "pending"


def test_a_delegate_without_a_role_sees_what_waits_for_them_and_decides_it_and_nothing_else(
    api: Api, asked: dict[str, Any]
) -> None:
    delegates.hire(api.engine)
    api.tokens["stand-in"] = token_of(api.engine, "stand-in")
    assert api.call("stand-in", "GET", "/changes").status_code == 403
    delegates.act_for(api.engine, "lindqvist")
    assert [one["number"] for one in api.call("stand-in", "GET", "/changes").json()["items"]] == ["CH-1"]
    shown = api.call("stand-in", "GET", "/changes/CH-1").json()
    assert shown["may_review"] is True
    for path in ("/quota/tree", "/decisions", f"/decisions/{asked['decision_id']}"):
        assert api.call("stand-in", "GET", path).status_code == 403, path
    assert say(api, "stand-in", "revoke", note="No.").status_code == 403
    done = say(api, "stand-in", "approve").json()
    assert [(one["person"], one["verdict"]) for one in done["reviews"]] == [("Dr. S. Stand-In", "approve")]
    assert done["state"] == "approved"


def test_a_delegate_does_not_see_what_the_person_they_act_for_cannot_decide(api: Api, asked: dict[str, Any]) -> None:
    assert asked["number"] == "CH-1"
    delegates.hire(api.engine)
    api.tokens["stand-in"] = token_of(api.engine, "stand-in")
    delegates.act_for(api.engine, "moreau")
    assert api.call("stand-in", "GET", "/changes").json()["items"] == []
    assert api.call("stand-in", "GET", "/changes/CH-1").status_code == 404
    assert say(api, "stand-in", "approve").status_code == 404


def test_a_rejection_needs_a_note(api: Api, asked: dict[str, Any]) -> None:
    assert asked["state"] == "pending"
    assert say(api, "lindqvist", "reject").status_code == 422
    assert say(api, "lindqvist", "reject", note="No room.").json()["state"] == "rejected"


def test_who_decides_on_what_somebody_else_changed_meanwhile_is_told(api: Api, asked: dict[str, Any]) -> None:
    assert asked["version"] == 1
    say(api, "okafor", "withdraw")
    answer = say(api, "lindqvist", "approve")
    assert (answer.status_code, answer.json()["field"]) == (409, "version")


def test_questions_and_answers_stand_among_the_reviews(api: Api, asked: dict[str, Any]) -> None:
    assert asked["reviews"] == []
    api.call("lindqvist", "POST", "/changes/CH-1/question", json={"text": "How long?"})
    done = api.call("okafor", "POST", "/changes/CH-1/answer", json={"text": "A week."}).json()
    assert [(one["verdict"], one["note"]) for one in done["reviews"]] == [
        ("question", "How long?"),
        ("answer", "A week."),
    ]


def test_a_grant_can_be_revoked_until_it_is_used(api: Api, asked: dict[str, Any]) -> None:
    version = say(api, "lindqvist", "approve").json()["version"]
    assert asked["number"] == "CH-1"
    assert say(api, "okafor", "revoke", version=version, note="x").status_code == 403
    done = say(api, "lindqvist", "revoke", version=version, note="The pool is gone.").json()
    assert (done["state"], done["grant"]["state"]) == ("revoked", "revoked")


def test_an_emergency_opens_at_once_and_is_reviewed_afterwards(api: Api) -> None:
    wish = {"decision_id": str(deny(api.engine)), "reason": "Scanner down.", "incident": "INC-7", "hours": 4}
    assert api.call("okafor", "POST", "/emergencies", json=wish).status_code == 403
    done = api.call("lindqvist", "POST", "/emergencies", json=wish)
    assert done.status_code == 201
    assert (done.json()["kind"], done.json()["grant"]["state"]) == ("emergency", "active")


def give_adeyemi_a_role_in_radiology(api: Api) -> None:
    """Requester there, and approver in pathology: what is allowed in one place is not in another."""
    with transaction(api.engine) as session:
        radiology = session.exec(select(Node.id).where(Node.name == "radiology")).one()
        person = person_by_name(session, "adeyemi")
        session.add(RoleBinding(person_id=person.id, role="requester", node_id=radiology))


def test_an_approver_of_another_department_neither_revokes_nor_breaks_the_glass(api: Api) -> None:
    give_adeyemi_a_role_in_radiology(api)
    decision = deny(api.engine)
    wish = {"decision_id": str(decision), "reason": "Scanner down.", "incident": "INC-7", "hours": 4}
    assert api.call("adeyemi", "POST", "/emergencies", json=wish).status_code == 403
    ask(api, decision)
    version = say(api, "lindqvist", "approve").json()["version"]
    assert say(api, "adeyemi", "revoke", version=version, note="x").status_code == 403
    assert api.call("adeyemi", "GET", "/changes/CH-1").json()["state"] == "approved"


def test_changes_are_listed_to_those_whom_they_concern(api: Api, asked: dict[str, Any]) -> None:
    for person, sees in (("okafor", 1), ("lindqvist", 1), ("sato", 1), ("adeyemi", 0), ("novak", 0)):
        found = api.call(person, "GET", "/changes").json()["items"]
        assert len(found) == sees, person
    assert api.call("adeyemi", "GET", f"/changes/{asked['number']}").status_code == 404
    assert api.call("okafor", "GET", "/changes?mine=true&state=pending").json()["items"][0]["number"] == "CH-1"
    assert api.call("lindqvist", "GET", "/changes?mine=true").json()["items"] == []


def test_only_the_requester_or_the_project_asks_for_a_denial(api: Api) -> None:
    decision = deny(api.engine)
    assert ask(api, decision, "adeyemi").status_code == 403
    assert ask(api, decision, "lindqvist").status_code == 201


@pytest.mark.parametrize(
    ("wish", "status", "field"),
    [
        ({"decision_id": str(uuid4())}, 404, "decision"),
        ({"decision_id": "x"}, 422, "decision_id"),
        ({"reason": " "}, 422, "reason"),
        ({"valid_until": "2026-11-30T10:00:00"}, 422, "valid_until"),
        ({"valid_until": until(-1)}, 422, "valid_until"),
        ({"extra": 1}, 422, "extra"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_with_its_field(
    api: Api, wish: dict[str, Any], status: int, field: str
) -> None:
    answer = ask(api, deny(api.engine), **wish)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
