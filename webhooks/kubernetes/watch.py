"""Follows a cluster and tells the ledger what exists: one writer for each cluster, fenced by its lease.

Events of all kinds pass through one queue, so each object's are handled in the order of the API server. A LIST is
charged whole; after the first of every kind the cluster enforces. Pendings that no event resolved in time are ruled on
by a quorum LIST begun later (LEDGER.md, "Watch").
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Engine, select

from governance.admission.settled import settle_grants
from governance.configuration.rows_clusters import see_namespace
from governance.db.base import table_of
from governance.db.session import reading, transaction
from governance.db.together import database_clock, database_time
from governance.errors import BadInput, ClusterUnavailable, DatabaseUnavailable, LedgerConflict
from governance.quota.facts import object_state
from governance.quota.lease import acquire, relisted, renew
from governance.quota.model import AUTOSCALER, CLAIM, Declaration, claim_key
from governance.quota.observe import Fenced, Writer, observe, observe_list, overdue
from governance.quota.plan import ObjectRef, Observation
from governance.quota.tables import ChargeObject
from webhooks.kubernetes.around import Around
from webhooks.kubernetes.cluster import Api, Event, Expired, Listing
from webhooks.kubernetes.footprint import declaration_of, is_unseen
from webhooks.kubernetes.reflect import reflect

# Owners come before what they own, and what is scaled before what scales it: a relist finds each root first.
PATHS = {
    "apps/deployments": "/apis/apps/v1/deployments",
    "apps/statefulsets": "/apis/apps/v1/statefulsets",
    "apps/daemonsets": "/apis/apps/v1/daemonsets",
    "batch/jobs": "/apis/batch/v1/jobs",
    "core/replicationcontrollers": "/api/v1/replicationcontrollers",
    "apps/replicasets": "/apis/apps/v1/replicasets",
    "core/pods": "/api/v1/pods",
    CLAIM: "/api/v1/persistentvolumeclaims",
    "core/services": "/api/v1/services",
    AUTOSCALER: "/apis/autoscaling/v2/horizontalpodautoscalers",
}
NAMESPACES = "/api/v1/namespaces"
_OWNS_PODS = frozenset(PATHS) - {"core/pods", CLAIM, "core/services", AUTOSCALER}
_LEASE_S = 15
_RENEW_EVERY_S = 5.0
_OVERDUE_EVERY_S = 10.0
_RETRY_S = 1.0
_QUEUE_MAX = 10_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A complete LIST of one kind. `begun_at` is the database's time before it."""

    kind: str
    listing: Listing
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class _Happened:
    kind: str
    event: Event


@dataclass(frozen=True, slots=True)
class Follower:
    """What following one cluster needs."""

    engine: Engine
    api: Api
    cluster: str
    around: Around


def keep_following(follower: Follower, holder: str, stop: threading.Event) -> None:
    """Follow a cluster whenever its lease can be had, until `stop` is set. Failures are logged and tried again."""
    while not stop.is_set():
        if not follower.around.wait_complete(_RETRY_S):
            continue  # what a template takes depends on it
        try:
            writer = acquire(follower.engine, follower.cluster, holder, _LEASE_S)
            if writer is not None:
                _follow(follower, writer, stop)
        except Fenced as error:
            _log.warning("another writer follows the cluster", cluster=follower.cluster, reason=error.detail)
        except (DatabaseUnavailable, ClusterUnavailable, LedgerConflict, Expired) as error:
            _log.warning("following interrupted", cluster=follower.cluster, reason=str(error))
        except Exception:  # noqa: BLE001  (a follower that ends leaves a ledger that nobody corrects)
            _log.exception("following failed", cluster=follower.cluster)
        stop.wait(_RETRY_S)


def _follow(follower: Follower, writer: Writer, stop: threading.Event) -> None:
    """One lease: every kind is listed and watched anew; ends when the lease is lost or something fails."""
    ended = threading.Event()
    inbox: queue.Queue[_Listed | _Happened] = queue.Queue(_QUEUE_MAX)
    for kind, path in {"core/namespaces": NAMESPACES, **PATHS}.items():
        threading.Thread(
            target=reflect,
            args=(follower.api, path, ended, _on_list(follower, kind, inbox, ended), _on_event(kind, inbox, ended)),
            name=f"watch-{kind}",
            daemon=True,
        ).start()
    try:
        _consume(follower, writer, inbox, stop)
    finally:
        ended.set()


def _consume(
    follower: Follower, writer: Writer, inbox: queue.Queue[_Listed | _Happened], stop: threading.Event
) -> None:
    waiting = {"core/namespaces", *PATHS}
    early: list[_Listed | _Happened] = []
    renew_at = overdue_at = 0.0
    while not stop.is_set():
        now = time.monotonic()
        if now >= renew_at:
            if not renew(follower.engine, follower.cluster, writer, _LEASE_S):
                raise Fenced(f"The watch of {follower.cluster} has another writer.")
            renew_at = now + _RENEW_EVERY_S
        if now >= overdue_at and not waiting:
            _rule_on_overdue(follower, writer)
            overdue_at = now + _OVERDUE_EVERY_S
        try:
            item = inbox.get(timeout=_RETRY_S)
        except queue.Empty:
            continue
        if waiting:
            early.append(item)
            waiting.discard(item.kind if isinstance(item, _Listed) else "")
            if not waiting:
                _take_in_order(follower, writer, early)
            continue
        _take(follower, writer, item)


def _take_in_order(follower: Follower, writer: Writer, items: Sequence[_Listed | _Happened]) -> None:
    """The first LIST of every kind, owners first; then what happened meanwhile; then the cluster enforces."""
    order = ["core/namespaces", *PATHS]
    for item in sorted(items, key=lambda one: (isinstance(one, _Happened), order.index(one.kind))):
        _take(follower, writer, item)
    if relisted(follower.engine, follower.cluster, writer):
        _log.info("everything that runs is charged; the cluster enforces from now on", cluster=follower.cluster)


def _on_list(
    follower: Follower, kind: str, inbox: queue.Queue[_Listed | _Happened], ended: threading.Event
) -> Callable[[Callable[[], Listing]], Listing]:
    def take(begin: Callable[[], Listing]) -> Listing:
        listed = _list(follower, kind, begin)
        _put(inbox, listed, ended)
        return listed.listing

    return take


def _on_event(kind: str, inbox: queue.Queue[_Listed | _Happened], ended: threading.Event) -> Callable[[Event], None]:
    return lambda event: _put(inbox, _Happened(kind, event), ended)


def _put(inbox: queue.Queue[_Listed | _Happened], item: _Listed | _Happened, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            inbox.put(item, timeout=_RETRY_S)
        except queue.Full:
            continue
        return


def _list(follower: Follower, kind: str, begin: Callable[[], Listing]) -> _Listed:
    begun_at = database_clock(follower.engine)()
    return _Listed(kind, begin(), begun_at)


def _rule_on_overdue(follower: Follower, writer: Writer) -> None:
    with reading(follower.engine) as session:
        kinds = overdue(session, follower.cluster, database_time(session))
    for kind in kinds:
        if kind in PATHS:
            _take(follower, writer, _list(follower, kind, lambda path=PATHS[kind]: follower.api.list(path)))  # type: ignore[misc]


def _take(follower: Follower, writer: Writer, item: _Listed | _Happened) -> None:
    if item.kind == "core/namespaces":
        _take_namespaces(follower, item)
        return
    if isinstance(item, _Happened):
        seen = _observation(follower, item.kind, item.event.object, deleted=item.event.type == "DELETED")
        if seen is not None:
            now = database_clock(follower.engine)()
            observe(follower.engine, seen, now=now, on_settled=settle_grants(now), writer=writer)
        return
    listed = [
        replace(seen, listed_at=item.begun_at)
        for one in item.listing.items
        if (seen := _observation(follower, item.kind, one, deleted=False)) is not None
    ]
    changed = observe_list(
        follower.engine,
        follower.cluster,
        item.kind,
        listed,
        unread={one["metadata"]["uid"] for one in item.listing.items} - {one.ref.uid for one in listed},
        version=item.listing.resource_version,
        begun_at=item.begun_at,
        now=item.begun_at,
        on_settled=settle_grants(item.begun_at),
        writer=writer,
    )
    _log.info("listed", cluster=follower.cluster, kind=item.kind, objects=len(listed), changed=changed)


def _take_namespaces(follower: Follower, item: _Listed | _Happened) -> None:
    deleted = isinstance(item, _Happened) and item.event.type == "DELETED"
    objects = item.listing.items if isinstance(item, _Listed) else () if deleted else (item.event.object,)
    for one in objects:
        meta = one["metadata"]
        with transaction(follower.engine) as session:
            now = database_time(session)
            see_namespace(session, follower.cluster, meta["name"], meta.get("labels") or {}, now)


def _observation(follower: Follower, kind: str, source: dict[str, Any], *, deleted: bool) -> Observation | None:
    """What an object says of itself. One that cannot be understood is told in the log and stays as it was."""
    meta = source["metadata"]
    owner = next((one for one in meta.get("ownerReferences", ()) if one.get("controller")), None)
    ref = ObjectRef(
        follower.cluster, meta.get("namespace", ""), meta["name"], kind, meta["uid"], owner["uid"] if owner else None
    )
    if kind in _OWNS_PODS:
        selector = None if deleted else source.get("spec", {}).get("selector")
        follower.around.remember_selector(meta["uid"], selector)
    if deleted:
        return Observation(ref, meta["resourceVersion"])
    try:
        before = _last_known(follower, meta["uid"]) if is_unseen(kind, source) else None
        declaration = declaration_of(kind, source, follower.around.current(), before=before)
    except BadInput as error:
        _log.error("an object cannot be charged", cluster=ref.scope, kind=kind, name=ref.native_id, reason=str(error))
        return None
    if declaration is None:
        return None
    target = claim_key(ref.namespace, ref.name) if kind == CLAIM else declaration.target
    ref = replace(ref, target=target, claims=declaration.claims)
    return Observation(ref, meta["resourceVersion"], declaration, deleting=bool(meta.get("deletionTimestamp")))


def _last_known(follower: Follower, uid: str) -> Declaration | None:
    """What the ledger last knew of an object whose controller has not seen its newest generation yet: whether a
    rolling update is under way follows from it, not from the generation, which a scale raises as well."""
    objects = table_of(ChargeObject).c
    with reading(follower.engine) as session:
        row = session.connection().execute(
            select(table_of(ChargeObject)).where(objects.scope == follower.cluster, objects.uid == uid)
        )
        found = row.mappings().one_or_none()
    return object_state(dict(found)).last_known() if found is not None else None
