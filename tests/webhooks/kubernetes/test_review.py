import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import PolicyUnavailable
from tests.webhooks.kubernetes.samples import BODY_BYTES_MAX, Json, deployment, review, wire
from webhooks.kubernetes.review import (
    DEPTH_MAX,
    MESSAGE_CHARACTERS_MAX,
    WARNING_CHARACTERS_MAX,
    WARNINGS_CHARACTERS_MAX,
    Review,
    Unreadable,
    allow,
    deny,
    deny_for,
    parse,
)


def read(body: bytes) -> Review | Unreadable:
    return parse(body, body_bytes_max=BODY_BYTES_MAX)


def refused(body: bytes) -> Unreadable:
    found = read(body)
    assert isinstance(found, Unreadable)
    return found


def with_request(**members: object) -> bytes:
    document = wire("CREATE", deployment())
    document["request"] |= members
    return json.dumps(document).encode()


def without(member: str) -> bytes:
    document = wire("CREATE", deployment())
    del document["request"][member]
    return json.dumps(document).encode()


def answered(answer: bytes) -> Json:
    document: Json = json.loads(answer)
    assert document["apiVersion"] == "admission.k8s.io/v1"
    assert document["kind"] == "AdmissionReview"
    response: Json = document["response"]
    return response


def test_a_review_is_read_as_the_api_server_sends_it() -> None:
    found = review("UPDATE", deployment(3), deployment(2), subResource="", dryRun=True)
    assert (found.uid, found.kind, found.operation, found.dry_run) == ("review-1", "apps/deployments", "UPDATE", True)
    assert (found.namespace, found.name, found.actor, found.groups) == ("radiology", "viewer", "okafor", ("radiology",))
    assert (found.object["spec"]["replicas"], found.old_object["spec"]["replicas"]) == (3, 2)


def test_the_core_group_has_a_name() -> None:
    assert review("CREATE", deployment(), resource={"group": "", "resource": "pods"}).kind == "core/pods"


def test_a_generated_name_is_found_in_the_object() -> None:
    assert review("CREATE", deployment(name="viewer-x7k2p"), name="").name == "viewer-x7k2p"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (without("uid"), "request.uid"),
        (with_request(uid=7), "request.uid"),
        (with_request(uid="é"), "request.uid"),
        (without("resource"), "request.resource.resource"),
        (with_request(operation="PATCH"), "request.operation"),
        (with_request(operation=["CREATE"]), "request.operation"),
        (without("userInfo"), "request.userInfo.username"),
        (with_request(userInfo={"username": "a", "groups": "b"}), "request.userInfo.groups"),
        (with_request(object=None), "request.object"),
        (with_request(object=[1]), "request.object"),
        (with_request(operation="UPDATE"), "request.oldObject"),
        (with_request(dryRun="yes"), "request.dryRun"),
        (with_request(namespace="a\nb"), "request.namespace"),
        (with_request(name="x" * 400), "request.name"),
        (json.dumps({**wire("CREATE", deployment()), "apiVersion": "admission.k8s.io/v1beta1"}).encode(), "apiVersion"),
        (json.dumps({**wire("CREATE", deployment()), "kind": "Pod"}).encode(), "kind"),
        (json.dumps({**wire("CREATE", deployment()), "request": "no"}).encode(), "request.uid"),
    ],
)
def test_a_wrong_field_is_named(body: bytes, field: str) -> None:
    assert refused(body).error.field == field


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": ' + b"1" * 5000 + b"}",
        b'"text"',
        b"[" * 100_000,
        b'{"a":' * 60 + b"1" + b"}" * 59,
    ],
)
def test_what_is_no_json_object_is_refused_without_a_uid(body: bytes) -> None:
    found = refused(body)
    assert (found.uid, found.error.status) == ("", 400)


def test_a_member_that_stands_twice_is_refused() -> None:
    body = json.dumps(wire("CREATE", deployment())).replace('"replicas": 1', '"replicas": 1, "replicas": 9').encode()
    found = refused(body)
    assert (found.uid, found.error.field) == ("review-1", "replicas")


def test_nesting_is_limited_and_the_uid_still_read() -> None:
    deep: Any = "end"
    for _ in range(80):
        deep = {"deeper": [deep]}
    found = refused(with_request(object=deep))
    assert (found.uid, found.error.status) == ("review-1", 400)
    assert "nested" in str(found.error)


@pytest.mark.parametrize(("levels", "readable"), [(DEPTH_MAX - 2, True), (DEPTH_MAX - 1, False)])
def test_the_last_level_that_may_be_nested(levels: int, readable: bool) -> None:
    deep: Any = 1
    for _ in range(levels - 1):
        deep = {"deeper": deep}
    assert isinstance(read(with_request(object={"deeper": deep})), Review) is readable


def test_a_review_that_is_too_large_is_not_parsed_and_its_uid_still_read() -> None:
    found = refused(with_request(object={"data": "x" * BODY_BYTES_MAX}))
    assert (found.uid, found.error.status) == ("review-1", 413)


def test_the_uid_of_a_wrong_review_is_answered() -> None:
    found = refused(with_request(operation="PATCH"))
    response = answered(deny_for(found.uid, found.error))
    assert (response["uid"], response["allowed"]) == ("review-1", False)
    assert (response["status"]["code"], response["status"]["reason"]) == (422, "Invalid")


def test_an_error_of_ours_denies_with_its_sentence() -> None:
    response = answered(deny_for("u", PolicyUnavailable("The policy engine is silent.", remedy="Try again.")))
    assert not response["allowed"]
    assert response["status"] == {
        "status": "Failure",
        "message": "The policy engine is silent. Try again.",
        "reason": "ServiceUnavailable",
        "code": 503,
    }


def test_an_allow_says_nothing_more_than_it_must() -> None:
    assert answered(allow("u")) == {"uid": "u", "allowed": True}


def test_an_allow_carries_warnings_and_annotations() -> None:
    response = answered(allow("u", warnings=["Quota is nearly used up."], audit={"decision": "d-1"}))
    assert response["warnings"] == ["Quota is nearly used up."]
    assert response["auditAnnotations"] == {"decision": "d-1"}


def test_warnings_end_where_the_api_server_would_cut_them_all() -> None:
    kept = answered(allow("u", warnings=["x" * WARNING_CHARACTERS_MAX] * 40))["warnings"]
    assert len(kept) == WARNINGS_CHARACTERS_MAX // WARNING_CHARACTERS_MAX


def test_a_denial_without_a_message_still_explains_itself() -> None:
    assert answered(deny("u", " "))["status"]["message"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=600), max_size=40), st.text(max_size=4000))
def test_an_answer_always_fits_what_the_api_server_carries(warnings: list[str], message: str) -> None:
    response = answered(deny("u", message, warnings=warnings))
    kept = response.get("warnings", [])
    assert all(0 < len(one) <= WARNING_CHARACTERS_MAX for one in kept)
    assert sum(len(one) for one in kept) <= WARNINGS_CHARACTERS_MAX
    assert not any(character < " " or character == "\x7f" for one in kept for character in one)
    assert 0 < len(response["status"]["message"]) <= MESSAGE_CHARACTERS_MAX


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    assert isinstance(read(body), Review | Unreadable)


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(wire("CREATE", {})["request"])), _JSON))
def test_no_types_make_it_fail(members: Json) -> None:
    found = read(with_request(**members))
    uid = members.get("uid", "review-1")
    if isinstance(found, Review):
        assert found.uid == uid
    else:
        assert json.loads(deny_for(found.uid, found.error))["response"]["allowed"] is False
