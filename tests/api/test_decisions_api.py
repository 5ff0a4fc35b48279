from __future__ import annotations

from datetime import timedelta

from sqlmodel import select

from governance import clock
from governance.admission.tables import DecisionRow
from governance.change.tables import Grant
from governance.db.session import transaction
from tests.api.conftest import Api
from tests.api.rows import deny


def test_decisions_are_listed_newest_first_page_by_page(api: Api) -> None:
    ids = [str(deny(api.engine, name=f"d{number}")) for number in range(3)]
    first = api.call("okafor", "GET", "/decisions?limit=2").json()
    assert [one["id"] for one in first["items"]] == [ids[2], ids[1]]
    second = api.call("okafor", "GET", f"/decisions?limit=2&cursor={first['next']}").json()
    assert ([one["id"] for one in second["items"]], second["next"]) == ([ids[0]], "")


def test_decisions_are_seen_by_those_whom_they_concern(api: Api) -> None:
    decision = deny(api.engine)
    for person, sees in (("okafor", True), ("lindqvist", True), ("brandt", True), ("adeyemi", False)):
        assert bool(api.call(person, "GET", "/decisions").json()["items"]) is sees, person
        assert api.call(person, "GET", f"/decisions/{decision}").status_code == (200 if sees else 404), person


def test_decisions_are_filtered(api: Api) -> None:
    deny(api.engine)
    for query, count in (
        ("outcome=deny", 1),
        ("outcome=allow", 0),
        ("actor=okafor", 1),
        ("actor=nobody", 0),
        ("namespace=ct-training", 1),
    ):
        assert len(api.call("sato", "GET", f"/decisions?{query}").json()["items"]) == count, query
    assert api.call("sato", "GET", "/decisions?outcome=perhaps").status_code == 422
    assert api.call("sato", "GET", "/decisions?cursor=!").status_code == 422


def test_a_decision_explains_itself(api: Api) -> None:
    found = api.call("okafor", "GET", f"/decisions/{deny(api.engine)}").json()
    assert found["sentences"] == [
        "requests.nvidia.com/gpu: requested 6, used 15, limit 17 of radiology (rule radiology)"
    ]
    assert (found["policy_digest"], found["config_revision"]) == ("p" * 64, 1)
    assert found["facts"]["quota"][0]["limit"] == 17
    assert found["approved_by"] == found["changes"] == []


def test_an_allowed_decision_says_who_approved_it(api: Api) -> None:
    decision = deny(api.engine)
    wish = {
        "decision_id": str(decision),
        "reason": "Backlog.",
        "valid_until": (clock.now() + timedelta(days=1)).isoformat(),
    }
    api.call("okafor", "POST", "/changes", json=wish)
    api.call("lindqvist", "POST", "/changes/CH-1/approve", json={"version": 1, "note": "Room."})
    passed = deny(api.engine, name="again")
    with transaction(api.engine) as session:
        row = session.get_one(DecisionRow, passed)
        row.outcome, row.violations, row.grant_id = "allow", [], session.exec(select(Grant.id)).one()
        session.add(row)
    found = api.call("okafor", "GET", f"/decisions/{passed}").json()
    assert found["changes"] == ["CH-1"]
    assert [(one["change"], one["person"], one["note"]) for one in found["approved_by"]] == [
        ("CH-1", "M. Lindqvist", "Room.")
    ]
    assert [one["action"] for one in found["audit"]] == ["change.submit", "change.approve"]
