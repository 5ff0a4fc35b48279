from __future__ import annotations

from sqlalchemy import Engine
from sqlmodel import select

from governance import clock
from governance.db.session import transaction
from governance.identity.organisation import path_ids
from governance.identity.tables import Node
from governance.quota.tables import Charge, Usage
from tests.api.conftest import Api

GPU = "requests.nvidia.com/gpu"


def hold(engine: Engine, *, level: int, confirmed: int) -> None:
    """A charge of ct-training as the ledger writes it: 4 guaranteed GPUs of pathology are kept at imaging."""
    with transaction(engine) as session:
        project = session.exec(select(Node.id).where(Node.name == "ct-training")).one()
        path = path_ids(session, project)
        now = clock.now()
        session.add(
            Charge(
                scope="imaging-onprem-1",
                kind="apps/deployments",
                native_id="ct-training/ct-train",
                incarnation="1",
                project_id=project,
                path=list(path),
                state="held",
                level={GPU: level},
                confirmed={GPU: confirmed},
                created_at=now,
                updated_at=now,
            )
        )
        node = session.exec(select(Node.id).where(Node.name == "radiology")).one()
        radiology = session.get_one(Usage, (node, "", GPU))
        radiology.used += level
        session.add(radiology)


def test_a_node_shows_what_it_may_take_holds_and_has_left(api: Api) -> None:
    hold(api.engine, level=14, confirmed=10)
    found = api.call("okafor", "GET", "/quota/nodes/radiology").json()
    assert [one["name"] for one in found["path"]] == ["radiology", "imaging", "st-elisabeth"]
    (gpu,) = [one for one in found["resources"] if one["resource"] == GPU]
    amounts = {
        name: gpu[name]["value"] for name in ("hard", "held", "used", "available", "borrowed", "borrowing_limit")
    }
    assert amounts == {"hard": 12, "held": 4, "used": 10, "available": 3, "borrowed": 2, "borrowing_limit": 5}
    assert (gpu["rule"], gpu["lending_limit"]["value"]) == ("radiology", 4)


def test_a_guarantee_below_is_kept(api: Api) -> None:
    found = api.call("sato", "GET", "/quota/nodes/imaging").json()
    (gpu,) = [one for one in found["resources"] if one["resource"] == GPU]
    assert gpu["kept"]["value"] == 8 + 2
    assert gpu["available"]["value"] == 32 - 10


def test_the_owner_is_the_nearest_and_it_says_of_what(api: Api) -> None:
    owners = {
        name: api.call("sato", "GET", f"/quota/nodes/{name}").json()["owner"]
        for name in ("ct-training", "pacs", "radiology", "imaging")
    }
    said = {name: one and (one["name"], one["of"]["name"]) for name, one in owners.items()}
    assert said == {
        "ct-training": ("okafor", "ct-training"),
        "pacs": ("lindqvist", "radiology"),
        "radiology": ("lindqvist", "radiology"),
        "imaging": None,
    }


def test_amounts_are_shown_as_kubernetes_writes_them(api: Api) -> None:
    found = api.call("okafor", "GET", "/quota/nodes/ct-training").json()
    shown = {one["resource"]: one["hard"]["quantity"] for one in found["resources"]}
    assert shown == {"requests.cpu": "24", "requests.memory": "96Gi"}


def test_a_node_of_another_department_is_not_there(api: Api) -> None:
    for name in ("pathology", "st-elisabeth", "nowhere", "%2e%2e"):
        assert api.call("okafor", "GET", f"/quota/nodes/{name}").status_code == 404


def test_the_tree_shows_what_one_may_see(api: Api) -> None:
    (root,) = api.call("sato", "GET", "/quota/tree").json()
    assert root["name"] == "st-elisabeth"
    assert [one["name"] for one in root["children"]] == ["imaging", "information-technology", "medicine"]
    (own,) = api.call("okafor", "GET", "/quota/tree").json()
    assert (own["name"], [one["name"] for one in own["children"]]) == ("radiology", ["ct-training", "pacs"])
