"""Keeps the surroundings of a cluster's objects up to date: nodes, limit ranges, runtime and storage classes.

Every process that translates requests or observations keeps its own, so that none waits for another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from governance.clock import Clock
from webhooks.kubernetes.cluster import Api, Event, Listing
from webhooks.kubernetes.reflect import reflect
from webhooks.kubernetes.surroundings import Surroundings

_Objects = dict[str, dict[str, Any]]

_PATHS = {
    "nodes": "/api/v1/nodes",
    "limit_ranges": "/api/v1/limitranges",
    "runtime_classes": "/apis/node.k8s.io/v1/runtimeclasses",
    "storage_classes": "/apis/storage.k8s.io/v1/storageclasses",
    "claim_templates": "/apis/resource.k8s.io/v1/resourceclaimtemplates",
}
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Around:
    """The cluster around its objects, as last seen. `current` may be called from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, _Objects] = {name: {} for name in _PATHS}
        self._listed: set[str] = set()
        self._selectors: dict[str, dict[str, Any]] = {}
        self._current = Surroundings(now=clock(), missing=_named(_PATHS))
        self._complete = threading.Event()

    def current(self) -> Surroundings:
        """The surroundings now."""
        return replace(self._current, now=self._clock())

    def wait_complete(self, timeout_s: float) -> bool:
        """Wait until everything was listed once; whether it was."""
        return self._complete.wait(timeout_s)

    def keep(self, api: Api, stop: threading.Event) -> list[threading.Thread]:
        """Start to follow the cluster; one thread for each kind, which end with the process or soon after `stop`."""
        threads = [
            threading.Thread(
                target=reflect,
                args=(api, path, stop, self._on_list(name), self._on_event(name)),
                name=f"around-{name}",
                daemon=True,
            )
            for name, path in _PATHS.items()
        ]
        for thread in threads:
            thread.start()
        return threads

    def remember_selector(self, uid: str, selector: dict[str, Any] | None) -> None:
        """The label selector of an object that owns pods; None when it is gone."""
        with self._lock:
            selectors = {**self._selectors}
            selectors.pop(uid, None)
            if selector is not None:
                selectors[uid] = selector
            self._selectors = selectors
            self._current = replace(self._current, selectors=selectors)

    def _on_list(self, name: str) -> Callable[[Callable[[], Listing]], Listing]:
        def take(begin: Callable[[], Listing]) -> Listing:
            listing = begin()
            with self._lock:
                self._objects[name] = {one["metadata"]["uid"]: one for one in listing.items}
                self._listed.add(name)
                self._current = self._settled(self._current.now)
                if not self._current.missing:
                    self._complete.set()
            return listing

        return take

    def _on_event(self, name: str) -> Callable[[Event], None]:
        def take(event: Event) -> None:
            uid = event.object["metadata"]["uid"]
            with self._lock:
                if event.type == "DELETED":
                    self._objects[name].pop(uid, None)
                else:
                    self._objects[name][uid] = event.object
                self._current = self._settled(self._current.now)

        return take

    def _settled(self, now: datetime) -> Surroundings:
        nodes = self._objects["nodes"]
        limits: dict[str, list[dict[str, Any]]] = {}
        for one in self._objects["limit_ranges"].values():
            limits.setdefault(one["metadata"]["namespace"], []).append(one)
        return Surroundings(
            now=now,
            missing=_named(name for name in _PATHS if name not in self._listed),
            nodes=tuple(nodes.values()),
            limit_ranges=limits,
            overheads={
                one["metadata"]["name"]: one["overhead"]["podFixed"]
                for one in self._objects["runtime_classes"].values()
                if one.get("overhead", {}).get("podFixed")
            },
            claim_templates={
                f"{one['metadata']['namespace']}/{one['metadata']['name']}": one
                for one in self._objects["claim_templates"].values()
            },
            storage_class=_default_class(self._objects["storage_classes"]),
            selectors=self._selectors,
        )


def _named(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.replace("_", " ") for name in names)


def _default_class(classes: _Objects) -> str:
    """The default StorageClass; of several, the newest, then by name, as the API server's admission plugin chooses."""
    marked = [
        (one["metadata"].get("creationTimestamp", ""), one["metadata"]["name"])
        for one in classes.values()
        if one["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true"
    ]
    newest = max((created for created, _ in marked), default="")
    return min((name for created, name in marked if created == newest), default="")
