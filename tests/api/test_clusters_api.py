from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from governance import clock
from governance.db.session import transaction
from governance.identity.organisation import node_named
from governance.identity.people import person_by_name
from governance.identity.tables import RoleBinding
from governance.quota.tables import Scope
from tests.api.conftest import Api

CLUSTER = "imaging-onprem-1"


def charge_everything(api: Api) -> None:
    """Let the clusters enforce."""
    with transaction(api.engine) as session:
        for name in (CLUSTER, "burst-cloud-1"):
            row = session.get_one(Scope, name)
            row.mode, row.relisted_at = "enforce", clock.now()


def test_clusters_are_listed_and_shown(api: Api) -> None:
    listed = api.call("brandt", "GET", "/clusters").json()
    assert [(one["name"], one["mode"], one["followed_by"]) for one in listed] == [
        ("burst-cloud-1", "observe", None),
        (CLUSTER, "observe", None),
    ]
    assert api.call("brandt", "GET", f"/clusters/{CLUSTER}").json() == listed[1]
    assert api.call("brandt", "GET", "/clusters/elsewhere").status_code == 404


def test_an_administrator_lets_a_cluster_warn_and_enforce(api: Api) -> None:
    charge_everything(api)
    wish = {"minutes": 120, "reason": "The archive moves."}
    warned = api.call("sato", "POST", f"/clusters/{CLUSTER}/warn", json=wish)
    assert warned.status_code == 200
    found = warned.json()["warned"]
    assert found["reason"] == "The archive moves."
    left = datetime.fromisoformat(found["until"]) - clock.now()
    assert timedelta(minutes=119) < left <= timedelta(minutes=120)
    assert api.call("sato", "GET", f"/clusters/{CLUSTER}").json() == warned.json()
    again = api.call("sato", "POST", f"/clusters/{CLUSTER}/enforce", json={"reason": "It moved."}).json()
    assert (again["mode"], again["warned"]) == ("enforce", None)


def test_longer_than_the_installation_allows_is_refused(api: Api) -> None:
    charge_everything(api)
    refused = api.call("sato", "POST", f"/clusters/{CLUSTER}/warn", json={"minutes": 24 * 60 + 1, "reason": "Why."})
    assert (refused.status_code, refused.json()["field"]) == (422, "minutes")
    assert "at most 24 hours" in refused.json()["detail"]


def test_a_cluster_that_observes_cannot_be_switched(api: Api) -> None:
    refused = api.call("sato", "POST", f"/clusters/{CLUSTER}/warn", json={"minutes": 1, "reason": "Why."})
    assert (refused.status_code, refused.json()["title"]) == (409, "Conflict")


def test_a_rebuild_answers_how_the_cluster_stands_then(api: Api) -> None:
    charge_everything(api)
    made = api.call("sato", "POST", f"/clusters/{CLUSTER}/rebuild", json={"reason": "etcd was restored."}).json()
    assert (made["mode"], made["epoch"], made["relisted_at"], made["voided"]) == ("observe", 2, None, [])


@pytest.mark.parametrize("person", ["okafor", "lindqvist", "brandt", "deployer"])
@pytest.mark.parametrize("act", ["warn", "enforce", "rebuild"])
def test_nobody_but_an_administrator_acts_on_a_cluster(api: Api, person: str, act: str) -> None:
    charge_everything(api)
    body = {"reason": "Why.", **({"minutes": 1} if act == "warn" else {})}
    assert api.call(person, "POST", f"/clusters/{CLUSTER}/{act}", json=body).status_code == 403
    assert api.call("sato", "GET", f"/clusters/{CLUSTER}").json()["mode"] == "enforce"


def test_an_administrator_of_a_department_has_no_say_about_a_cluster_that_all_share(api: Api) -> None:
    charge_everything(api)
    with transaction(api.engine) as session:
        radiology = node_named(session, "radiology").id
        session.add(RoleBinding(person_id=person_by_name(session, "okafor").id, role="admin", node_id=radiology))
    for act in ("enforce", "rebuild"):
        assert api.call("okafor", "POST", f"/clusters/{CLUSTER}/{act}", json={"reason": "Why."}).status_code == 403
    for path in ("/clusters", f"/clusters/{CLUSTER}"):
        assert api.call("okafor", "GET", path).status_code == 403


@pytest.mark.parametrize("person", ["okafor", "lindqvist", "deployer"])
def test_how_clusters_stand_is_for_whoever_operates_and_audits(api: Api, person: str) -> None:
    assert api.call(person, "GET", "/clusters").status_code == 403
    assert api.call(person, "GET", f"/clusters/{CLUSTER}").status_code == 403
