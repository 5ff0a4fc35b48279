"""The wire format: AdmissionReview (admission.k8s.io/v1), bytes in and bytes out. Nothing else knows it.

Source: k8s.io/api `admission/v1/types.go`; what the API server makes of an answer: apiserver
`admission/plugin/webhook/request`, `errors/statuserror.go`, `endpoints/filters/warning.go`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, cast

import orjson

from governance.errors import BadInput, GovernanceError, TooLarge
from governance.strict_json import load
from webhooks.kubernetes.kinds import kind_of
from webhooks.read import Object, at, flag, section, text

API_VERSION = "admission.k8s.io/v1"
DEPTH_MAX = 64  # no governed kind comes near it
MESSAGE_CHARACTERS_MAX = 2048
WARNING_CHARACTERS_MAX = 256  # the API server cuts to this once all of them together are too long
WARNINGS_CHARACTERS_MAX = 4096
_UID_CHARACTERS_MAX = 128
_NAME_CHARACTERS_MAX = 253 + 64  # longer names cannot be stored
_UID_FIRST = re.compile(rb'"request"\s*:\s*\{\s*"uid"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]{1,128})"')
_UID_SEARCH_BYTES = 4096
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_REASONS = {400: "BadRequest", 403: "Forbidden", 409: "Conflict", 413: "RequestEntityTooLarge", 422: "Invalid"}

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(frozen=True, slots=True)
class Review:
    """One admission request, as the API server sent it."""

    uid: str
    kind: str  # group/resource
    subresource: str
    namespace: str
    name: str
    operation: Operation
    actor: str
    groups: tuple[str, ...]
    object: Object  # empty on DELETE
    old_object: Object  # empty on CREATE
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body that is no review. `uid` is what could be read of it, so that the answer can still name it."""

    uid: str
    error: BadInput


def parse(body: bytes, *, body_bytes_max: int) -> Review | Unreadable:
    """Read a review, strictly: size, depth, duplicate members, version and the type of each field.

    Args:
        body: the raw request body.
        body_bytes_max: a longer one is not parsed at all.

    Returns:
        the review, or why it cannot be read, with its uid where there is one.
    """
    if len(body) > body_bytes_max:
        remedy = "Raise webhook.body_bytes_max if objects are this large."
        return Unreadable(
            _uid_at_start(body), TooLarge(f"The review is longer than {body_bytes_max} bytes.", remedy=remedy)
        )
    try:
        document = load(body, "review", DEPTH_MAX)
    except BadInput as error:
        return Unreadable(_uid_at_start(body), error)
    uid = _uid_in(document)
    try:
        return _review(document)
    except BadInput as error:
        return Unreadable(uid, error)


def allow(uid: str, *, warnings: Sequence[str] = (), audit: Mapping[str, str] | None = None) -> bytes:
    """The answer that lets a request pass.

    Args:
        uid: of the review.
        warnings: sentences that `kubectl` prints; cut to what the API server carries.
        audit: annotations for the cluster's own audit log; the API server puts the webhook's name before each key.
    """
    return _answer(uid, {"allowed": True}, warnings, audit)


def deny(
    uid: str,
    message: str,
    *,
    code: int = HTTPStatus.FORBIDDEN,
    warnings: Sequence[str] = (),
    audit: Mapping[str, str] | None = None,
) -> bytes:
    """The answer that refuses a request.

    Args:
        uid: of the review.
        message: what a person reads after "admission webhook ... denied the request:".
        code: HTTP status that the API server gives on; below 400 it would become 400.
        warnings: as for `allow`.
        audit: as for `allow`.
    """
    status = {
        "status": "Failure",
        "message": _cut(message.strip() or "no reason was given", MESSAGE_CHARACTERS_MAX),
        "reason": _REASONS.get(code, "ServiceUnavailable" if code == HTTPStatus.SERVICE_UNAVAILABLE else "Forbidden"),
        "code": int(code),
    }
    return _answer(uid, {"allowed": False, "status": status}, warnings, audit)


def deny_for(uid: str, error: GovernanceError) -> bytes:
    """The answer when we failed, or were asked wrongly: an error denies, with its sentence and its status."""
    return deny(uid, str(error), code=error.status)


def _answer(uid: str, verdict: Mapping[str, Any], warnings: Sequence[str], audit: Mapping[str, str] | None) -> bytes:
    response: dict[str, Any] = {"uid": uid, **verdict}
    fitting = _fit(warnings)
    if fitting:
        response["warnings"] = fitting
    if audit:
        response["auditAnnotations"] = dict(audit)
    return orjson.dumps({"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response})


def _fit(warnings: Sequence[str]) -> list[str]:
    fitting: list[str] = []
    room = WARNINGS_CHARACTERS_MAX
    for warning in warnings:
        # A control character would make the API server drop the whole header.
        line = _cut(_CONTROL.sub(" ", warning).strip(), WARNING_CHARACTERS_MAX)
        if line and len(line) <= room:
            fitting.append(line)
            room -= len(line)
    return fitting


def _cut(line: str, characters_max: int) -> str:
    return line if len(line) <= characters_max else line[: characters_max - 1] + "…"


def _uid_at_start(body: bytes) -> str:
    # The API server writes the uid as the request's first member.
    found = _UID_FIRST.search(body[:_UID_SEARCH_BYTES])
    return found[1].decode("ascii") if found else ""


def _uid_in(document: Object) -> str:
    request = document.get("request")
    uid = request.get("uid") if isinstance(request, Mapping) else None
    return uid if isinstance(uid, str) and len(uid) <= _UID_CHARACTERS_MAX and _encodes(uid) else ""


def _encodes(source: str) -> bool:
    return source.isascii() and source.isprintable()


def _review(document: Object) -> Review:
    for field, expected in (("apiVersion", API_VERSION), ("kind", "AdmissionReview")):
        if text(document, field) != expected:
            raise BadInput(f"{expected} is expected.", field=field, remedy="Register the webhook for v1 reviews.")
    uid = _uid_in(document)
    if not uid:
        raise BadInput("The request's uid is missing or unusable.", field="request.uid")
    operation = text(document, "request.operation")
    if operation not in {"CREATE", "UPDATE", "DELETE", "CONNECT"}:
        raise BadInput("CREATE, UPDATE, DELETE or CONNECT is expected.", field="request.operation")
    return Review(
        uid=uid,
        kind=kind_of(_name(document, "resource.group"), _name(document, "resource.resource", required=True)),
        subresource=_name(document, "subResource"),
        namespace=_name(document, "namespace"),
        name=_name(document, "name") or _name(document, "object.metadata.name"),
        operation=cast("Operation", operation),
        actor=_actor(document),
        groups=_groups(document),
        object=_object(document, "object", required=operation in {"CREATE", "UPDATE"}),
        old_object=_object(document, "oldObject", required=operation in {"UPDATE", "DELETE"}),
        dry_run=flag(document, "request.dryRun"),
    )


def _name(document: Object, path: str, *, required: bool = False) -> str:
    found = text(document, f"request.{path}")
    if (required and not found) or len(found) > _NAME_CHARACTERS_MAX or _CONTROL.search(found):
        raise BadInput("A name is expected.", field=f"request.{path}")
    return found


def _actor(document: Object) -> str:
    actor = text(document, "request.userInfo.username")
    if not actor:
        raise BadInput("A user is expected.", field="request.userInfo.username")
    return actor


def _groups(document: Object) -> tuple[str, ...]:
    groups = at(document, "request.userInfo.groups") or []
    if not isinstance(groups, list) or not all(isinstance(one, str) for one in groups):
        raise BadInput("A list of names is expected.", field="request.userInfo.groups")
    return tuple(groups)


def _object(document: Object, path: str, *, required: bool) -> Object:
    found = section(document, f"request.{path}")
    if required and not found:
        raise BadInput("The object is missing.", field=f"request.{path}")
    return found
