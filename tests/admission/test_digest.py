import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.admission.digest import canonical, canonical_json, digest_of, footprint_of, subject_of
from governance.admission.model import Owner, Request
from governance.errors import BadInput
from governance.quota.model import Declaration
from governance.units import ResourceList

AFTER = ResourceList({"requests.cpu": 700, "count/deployments.apps": 1})
REQUEST = Request(
    door="kubernetes",
    provider="kubernetes",
    scope="north",
    uid="review-1",
    actor="okafor",
    groups=("radiology",),
    operation="UPDATE",
    kind="apps/deployments",
    subresource="",
    namespace="radiology",
    name="viewer",
    object_uid="uid-1",
    resource_version="7",
    owner=None,
    declaration=None,
    declaration_before=None,
    changes={"spec.replicas": 7},
)


def digest(request: Request = REQUEST, template: str = "t", after: ResourceList = AFTER, project: str = "p") -> str:
    return digest_of(request, template, after, project, "production")


def test_the_digest_is_the_documented_one() -> None:
    written = (
        '{"changes":{"spec.replicas":7},"door":"kubernetes","environment":"production",'
        '"footprint":{"count/deployments.apps":1,"requests.cpu":700},"kind":"apps/deployments","name":"viewer",'
        '"namespace":"radiology","project":"p","scope":"north","template":"t","version":1}'
    )
    assert canonical_json(canonical(REQUEST, "t", AFTER, "p", "production")) == written.encode()
    assert digest() == "eb978551d92a06a67aecaa77deb9a32ac761cdfe90102cafd3b6aa472060659c"


@pytest.mark.parametrize(
    "same",
    [
        {"uid": "review-2"},
        {"actor": "lindqvist", "groups": ()},
        {"object_uid": "uid-2", "resource_version": "8"},
        {"operation": "CREATE"},
        {"subresource": "scale", "scale_to": 7, "scale_from": 1},
        {"declaration_before": Declaration("apps/deployments", 1, AFTER)},
        {"owner": Owner("apps/replicasets", "n", "u")},
        {"dry_run": True, "controller_made": True},
        {"digest": "d", "subject": "s"},
    ],
)
def test_who_asks_and_what_stood_before_never_enter(same: Mapping[str, Any]) -> None:
    assert digest(replace(REQUEST, **same)) == digest()


@pytest.mark.parametrize(
    "other",
    [
        {"scope": "south"},
        {"door": "cloud"},
        {"kind": "apps/statefulsets"},
        {"namespace": "cardiology"},
        {"name": "viewer-2"},
        {"name_prefix": "viewer-"},
        {"changes": {"spec.replicas": 8}},
        {"changes": {"spec.replicas": "7"}},
        {"changes": {}},
        {"changes": {"spec.replicas": 7, "spec.type": None}},
    ],
)
def test_what_is_asked_enters(other: Mapping[str, Any]) -> None:
    assert digest(replace(REQUEST, **other)) != digest()


def test_template_footprint_project_and_environment_enter() -> None:
    found = {
        digest(),
        digest(template="other"),
        digest(after=ResourceList({"requests.cpu": 701})),
        digest(project="other"),
        digest_of(REQUEST, "t", AFTER, "p", "test"),
    }
    assert len(found) == 5


def test_the_subject_sees_which_paths_change_but_not_to_what() -> None:
    subject = subject_of(REQUEST, "t", "p", "production")
    assert subject == subject_of(replace(REQUEST, changes={"spec.replicas": 5}), "t", "p", "production")
    assert subject != subject_of(replace(REQUEST, changes={"spec.parallelism": 7}), "t", "p", "production")
    assert subject != subject_of(REQUEST, "other", "p", "production")
    assert subject != digest()


def test_the_footprint_of_a_declaration_leaves_its_surge_out() -> None:
    declaration = Declaration(
        "apps/deployments", 3, ResourceList({"pods": 1}), surge=2, rolling=True, fixed=ResourceList({"count/x": 1})
    )
    assert footprint_of(declaration) == ResourceList({"pods": 3, "count/x": 1})


@pytest.mark.parametrize("value", [0.5, {"a": [1.0]}, {1: 2}, {"a": b"b"}, "\ud800", {"a": {1}}, 2**64])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(BadInput):
        canonical_json(value)


_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
_PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(_PLAIN)
def test_canonical_json_is_json_and_the_order_of_members_does_not_matter(value: Any) -> None:  # noqa: ANN401
    written = canonical_json(value)
    assert written.decode() == json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert canonical_json(_reversed(value)) == written


@settings(deadline=None)
@given(_PLAIN, _PLAIN)
def test_different_values_are_written_differently(one: Any, other: Any) -> None:  # noqa: ANN401
    assert (canonical_json(one) == canonical_json(other)) == (repr(_sorted(one)) == repr(_sorted(other)))


def _reversed(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _reversed(value[name]) for name in reversed(list(value))}
    return [_reversed(one) for one in value] if isinstance(value, list) else value


def _sorted(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value
