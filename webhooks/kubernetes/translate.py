"""From a review to the one Request that every door makes. Pure: what else is known comes in as `Surroundings`.

`changes` holds the governed paths whose values differ, with their values after; `changes_before` has those of them that
had a value, with it. A Scale says it with the path of the object that it scales, so that `kubectl scale`, `patch` and
`apply` of the same replicas agree.
Environment, command, arguments, labels and annotations of an object never enter a Request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.admission.model import Owner, Request
from governance.quota.model import Declaration
from webhooks.kubernetes.controllers import is_service_account, is_workload_controller
from webhooks.kubernetes.footprint import Wish, pod_template_of, unknown_of, wish_of
from webhooks.kubernetes.kinds import kind_of_manifest
from webhooks.kubernetes.review import Review
from webhooks.kubernetes.selectors import selects
from webhooks.kubernetes.surroundings import Surroundings
from webhooks.read import Object, flag, items, section, text, whole

# Labels by which controllers tell their own pods; a selector holds them beside the user's own.
_IDENTITY = ("pod-template-hash", "controller-revision-hash", "batch.kubernetes.io/controller-uid", "controller-uid")


def request_of(review: Review, cluster: str, around: Surroundings) -> Request:
    """Translate a review.

    Args:
        review: as `review.parse` read it.
        cluster: the name under which this cluster is known; the ledger's scope.
        around: the cluster around the object, as last seen.

    Returns:
        the Request. `declaration` is None for a kind that is not governed and for a Scale; a Scale carries
        `scale_from` and `scale_to` instead, and what it takes follows from what the ledger knows of the object.

    Raises:
        BadInput: a field of an object has the wrong type or a quantity is out of range; names it.
    """
    if review.subresource == "scale":
        return _scale(review, cluster, around)
    before = _before(review, around)
    after = _after(review, around, before)
    unknown = unknown_of(review.kind, around) if after else ""
    changes = _changes(before, after)
    return _request(review, cluster, before, after, changes, _earlier(before, changes), unknown=unknown)


def owner_of(source: Object) -> Owner | None:
    """The controllerRef of an object."""
    for one in items(source, "metadata.ownerReferences"):
        if flag(one, "controller"):
            kind = kind_of_manifest(text(one, "apiVersion"), text(one, "kind"))
            return Owner(kind=kind, name=text(one, "name"), uid=text(one, "uid"))
    return None


def _scale(review: Review, cluster: str, around: Surroundings) -> Request:
    after, before = whole(review.object, "spec.replicas"), None
    if review.old_object:
        before = whole(review.old_object, "spec.replicas")
    scalable = around.scalables.get(review.kind)
    path = scalable.replicas if scalable else "spec.replicas"
    earlier = {} if before is None else {path: before}
    return _request(review, cluster, None, None, {path: after}, earlier, scale_to=after, scale_from=before)


def _before(review: Review, around: Surroundings) -> Wish | None:
    if not review.old_object or _leaves_its_owner(review, around):
        return None
    return wish_of(review.kind, review.old_object, around)


def _after(review: Review, around: Surroundings, before: Wish | None) -> Wish | None:
    if not review.object:
        return None
    changing = bool(review.old_object) and (
        pod_template_of(review.kind, review.object, around) != pod_template_of(review.kind, review.old_object, around)
    )
    known = before.declaration if before else None
    return wish_of(review.kind, review.object, around, before=known, changing=changing)


def _leaves_its_owner(review: Review, around: Surroundings) -> bool:
    # A user who takes a pod out of its selector, or removes its controllerRef, has a bare pod from then on, and the
    # controller makes another. It is charged as if it were new. The controllers' own patches are watched, not asked.
    owner = owner_of(review.old_object)
    if review.kind != "core/pods" or owner is None or is_workload_controller(review.actor):
        return False
    kept = owner_of(review.object)
    if kept is None or kept.uid != owner.uid:
        return True
    before, after = section(review.old_object, "metadata.labels"), section(review.object, "metadata.labels")
    if owner.uid in around.selectors:
        selector = around.selectors[owner.uid]
        return selects(selector, before) and not selects(selector, after)
    # The selector is not known yet. A person who changes a label may be at it; a program (a failover that moves a
    # role label) is trusted not to be, unless it touches the labels by which controllers tell their pods.
    lost = {name for name, value in before.items() if after.get(name) != value}
    return bool(lost) if not is_service_account(review.actor) else any(name in lost for name in _IDENTITY)


def _changes(before: Wish | None, after: Wish | None) -> dict[str, Any]:
    if after is None:
        return {}
    earlier: Mapping[str, Any] = before.fields if before else {}
    changed = {path: value for path, value in after.fields.items() if earlier.get(path) != value}
    return changed | {path: None for path in earlier if path not in after.fields}


def _earlier(before: Wish | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    return {path: before.fields[path] for path in changes if path in before.fields} if before else {}


def _request(
    review: Review,
    cluster: str,
    before: Wish | None,
    after: Wish | None,
    changes: Mapping[str, Any],
    earlier: Mapping[str, Any],
    *,
    scale_to: int | None = None,
    scale_from: int | None = None,
    unknown: str = "",
) -> Request:
    old, new = review.old_object, review.object
    owner = owner_of(new or old)
    return Request(
        door="kubernetes",
        provider="kubernetes",
        scope=cluster,
        uid=review.uid,
        actor=review.actor,
        groups=review.groups,
        operation=review.operation,
        kind=review.kind,
        subresource=review.subresource,
        namespace=review.namespace,
        name=review.name,
        object_uid=text(new or old, "metadata.uid"),
        resource_version=text(old, "metadata.resourceVersion"),
        owner=owner,
        declaration=_declared(after),
        declaration_before=_declared(before),
        scale_to=scale_to,
        scale_from=scale_from,
        changes=dict(changes),
        changes_before=dict(earlier),
        name_prefix=_name_prefix(review),
        dry_run=review.dry_run,
        unknown=unknown,
        controller_made=is_workload_controller(review.actor),
    )


def _declared(wish: Wish | None) -> Declaration | None:
    return wish.declaration if wish else None


def _name_prefix(review: Review) -> str:
    return text(review.object, "metadata.generateName") if review.operation == "CREATE" else ""
