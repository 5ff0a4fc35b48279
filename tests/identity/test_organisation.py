from __future__ import annotations

import pytest

from governance import clock
from governance.db.session import reading, transaction
from governance.db.types import new_id
from governance.errors import NotFound
from governance.identity import organisation
from tests.identity.organisation import Hospital, statements


def test_a_path_leads_from_the_node_to_the_root_in_one_read(hospital: Hospital) -> None:
    training = hospital.nodes["ct-training"]
    with statements(hospital.engine) as sent, reading(hospital.engine) as session:
        path = organisation.path_of(session, training.id)
        ids = organisation.path_ids(session, training.id)
    assert [node.name for node in path] == ["ct-training", "radiology", "clinic"]
    assert ids == tuple(str(node.id) for node in path)
    assert len(sent) == 2


def test_the_tree_holds_every_node_below_its_parent_by_name(hospital: Hospital) -> None:
    with reading(hospital.engine) as session:
        (root,) = organisation.tree(session)
    assert root.node.name == "clinic"
    assert [branch.node.name for branch in root.children] == ["laboratory", "radiology"]
    assert [branch.node.name for branch in root.children[1].children] == ["ct-training"]


def test_a_node_is_found_by_its_id_or_its_name(hospital: Hospital) -> None:
    radiology = hospital.nodes["radiology"]
    with reading(hospital.engine) as session:
        assert organisation.node_named(session, "radiology").id == radiology.id
        assert organisation.node_named(session, str(radiology.id)).id == radiology.id
        assert organisation.node_by_name(session, "project", "ct-training").depth == 2


@pytest.mark.parametrize("reference", ["cardiology", "01a20a54-f04a-71f9-8ec6-a0af581168c4", ""])
def test_an_unknown_node_is_not_found(hospital: Hospital, reference: str) -> None:
    with reading(hospital.engine) as session, pytest.raises(NotFound):
        organisation.node_named(session, reference)


def test_a_project_is_no_department(hospital: Hospital) -> None:
    with reading(hospital.engine) as session, pytest.raises(NotFound, match="no department ct-training"):
        organisation.node_by_name(session, "department", "ct-training")


def test_a_retired_node_is_neither_found_by_name_nor_in_the_tree(hospital: Hospital) -> None:
    with transaction(hospital.engine) as session:
        session.merge(hospital.nodes["laboratory"]).retired_at = clock.now()
    with reading(hospital.engine) as session:
        (root,) = organisation.tree(session)
        assert [branch.node.name for branch in root.children] == ["radiology"]
        with pytest.raises(NotFound):
            organisation.node_named(session, "laboratory")


def test_a_path_of_nothing_is_not_found(hospital: Hospital) -> None:
    with reading(hospital.engine) as session, pytest.raises(NotFound):
        organisation.path_of(session, new_id())
