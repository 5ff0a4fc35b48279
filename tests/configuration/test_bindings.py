from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from governance.configuration.apply import Applier, apply
from governance.configuration.binding import Bound
from governance.configuration.rows_clusters import bound_to, matches, see_namespace
from governance.configuration.specs import NamespaceBinding, Selector
from governance.db.session import reading, transaction
from governance.identity.tables import Node
from governance.quota.tables import Binding
from tests.configuration.manifests import SMALL, small

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def selecting(project: str, **labels: str) -> dict[str, Any]:
    return {"cluster": "onprem", "selector": {"matchLabels": labels}, "project": project}


def bindings(**specs: dict[str, Any]) -> dict[str, NamespaceBinding]:
    return {name: NamespaceBinding.model_validate(spec) for name, spec in specs.items()}


@pytest.mark.parametrize(
    ("expression", "labels", "holds"),
    [
        ({"key": "a", "operator": "In", "values": ["x", "y"]}, {"a": "x"}, True),
        ({"key": "a", "operator": "In", "values": ["x"]}, {}, False),
        ({"key": "a", "operator": "NotIn", "values": ["x"]}, {"a": "x"}, False),
        ({"key": "a", "operator": "NotIn", "values": ["x"]}, {}, True),
        ({"key": "a", "operator": "Exists"}, {"a": ""}, True),
        ({"key": "a", "operator": "Exists"}, {}, False),
        ({"key": "a", "operator": "DoesNotExist"}, {}, True),
        ({"key": "a", "operator": "DoesNotExist"}, {"a": ""}, False),
    ],
)
def test_a_selector_matches_as_kubernetes_does(expression: dict[str, Any], labels: dict[str, str], holds: bool) -> None:
    assert matches(Selector.model_validate({"matchExpressions": [expression]}), labels) is holds


def test_a_binding_that_names_a_namespace_beats_one_that_selects_it() -> None:
    both = bindings(a=selecting("other", team="ct"), b={"cluster": "onprem", "namespaces": ["ct"], "project": "ct"})
    assert bound_to(both, "onprem", "ct", {"team": "ct"}) == Bound("ct")


def test_selectors_that_do_not_agree_bind_nothing() -> None:
    two = bindings(a=selecting("one", team="ct"), b=selecting("two", tier="x"))
    assert bound_to(two, "onprem", "ct", {"team": "ct", "tier": "x"}) == Bound()
    assert bound_to(two, "onprem", "ct", {"team": "ct"}) == Bound("one")
    assert bound_to(two, "cloud", "ct", {"team": "ct"}) == Bound()


def test_a_namespace_can_be_selected_by_its_name_label() -> None:
    one = bindings(a=selecting("ct", **{"kubernetes.io/metadata.name": "ct"}))
    assert bound_to(one, "onprem", "ct", {}) == Bound("ct")


def test_a_namespace_that_is_seen_later_is_bound_by_its_labels(engine: Engine) -> None:
    apply(engine, small({"NamespaceBinding/ct": selecting("ct", team="ct")}), Applier(None, "sato"), NOW)
    with transaction(engine) as session:
        row = see_namespace(session, "onprem", "lab", {"team": "ct"}, NOW)
        assert row.project_id is not None
        assert (len(row.path), row.revision) == (4, 1)
    with transaction(engine) as session:
        row = see_namespace(session, "onprem", "lab", {}, NOW)
        assert (row.project_id, row.path) == (None, [])


def test_an_apply_binds_again_what_the_watch_has_seen(engine: Engine) -> None:
    apply(engine, small({"NamespaceBinding/ct": None}), Applier(None, "sato"), NOW)
    with transaction(engine) as session:
        see_namespace(session, "onprem", "lab", {"team": "ct"}, NOW)
    apply(engine, small({"NamespaceBinding/ct": selecting("ct", team="ct")}), Applier(None, "sato"), NOW)
    with reading(engine) as session:
        project = session.exec(select(Node.id).where(Node.name == "ct")).one()
        assert session.get_one(Binding, ("onprem", "lab")).project_id == project


def test_an_exempt_namespace_has_no_project(engine: Engine) -> None:
    spec = {"cluster": "onprem", "namespaces": ["kube-system"], "exempt": True}
    apply(engine, small({"NamespaceBinding/system": spec}), Applier(None, "sato"), NOW)
    with reading(engine) as session:
        row = session.get_one(Binding, ("onprem", "kube-system"))
        assert (row.exempt, row.project_id) == (True, None)


@pytest.mark.parametrize(
    ("hospital", "imaging", "ct", "expected"),
    [
        (None, None, None, "current"),
        ("maximum", None, None, "maximum"),
        ("maximum", "current", None, "current"),
        ("current", "maximum", None, "maximum"),
        ("maximum", "maximum", "current", "current"),
        (None, None, "maximum", "maximum"),
    ],
)
def test_what_is_charged_of_autoscalers_is_said_by_the_nearest_that_says_it(
    engine: Engine, hospital: str | None, imaging: str | None, ct: str | None, expected: str
) -> None:
    said = {"Department/hospital": hospital, "Department/imaging": imaging, "Project/ct": ct}
    specs = {
        name: SMALL[name] | ({"autoscaling": {"charge": charge}} if charge else {}) for name, charge in said.items()
    }
    apply(engine, small(specs | {"NamespaceBinding/later": selecting("ct", team="ct")}), Applier(None, "sato"), NOW)
    with transaction(engine) as session:
        assert session.get_one(Binding, ("onprem", "ct")).autoscaling == expected
        assert see_namespace(session, "onprem", "lab", {"team": "ct"}, NOW).autoscaling == expected
        assert see_namespace(session, "onprem", "lab", {}, NOW).autoscaling == "current"


def test_an_apply_that_changes_what_is_charged_of_autoscalers_changes_it_for_every_namespace(engine: Engine) -> None:
    apply(engine, small(), Applier(None, "sato"), NOW)
    stricter = {"Department/imaging": SMALL["Department/imaging"] | {"autoscaling": {"charge": "maximum"}}}
    for changes, expected in ((stricter, "maximum"), ({}, "current")):
        apply(engine, small(changes), Applier(None, "sato"), NOW)
        with reading(engine) as session:
            assert session.get_one(Binding, ("onprem", "ct")).autoscaling == expected
