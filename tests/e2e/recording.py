"""Keeps what the service was sent while the story ran, for the demo: `GOVERNANCE_RECORD=FOLDER pytest tests/e2e`.

Reviews are kept as the API server sent them. What a watch tells is kept by a second watch of the same paths under the
same user, through the code that the service itself watches with. `tools/recordings.py` chooses the demo's scenes.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from governance.clock import now
from governance.errors import ClusterUnavailable
from tests.e2e.world import World
from webhooks.kubernetes.cluster import Api, Event, Listing, connect
from webhooks.kubernetes.reflect import reflect
from webhooks.kubernetes.watch import NAMESPACES, PATHS

_UNTIL_ALLOWED_S = 0.2


class Recorder:
    """What came, in order: `review`, `list` and `event` items, each with the time of its arrival."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def review(self, body: bytes) -> None:
        """A review, on its way to the service."""
        self._keep({"what": "review", "body": json.loads(body)})

    def on_list(self, kind: str) -> Callable[[Callable[[], Listing]], Listing]:
        """Keeps a complete LIST of a kind."""

        def take(begin: Callable[[], Listing]) -> Listing:
            listing = begin()
            self._keep({"what": "list", "kind": kind, "version": listing.resource_version, "objects": [*listing.items]})
            return listing

        return take

    def on_event(self, kind: str) -> Callable[[Event], None]:
        """Keeps each event of a kind."""
        return lambda event: self._keep({"what": "event", "kind": kind, "type": event.type, "object": event.object})

    def _keep(self, item: dict[str, Any]) -> None:
        with self._lock:
            self.items.append({"at": now().isoformat(), **item})


@contextmanager
def recorded(world: World) -> Iterator[None]:
    """Record while the story runs, if GOVERNANCE_RECORD names a folder."""
    folder = os.environ.get("GOVERNANCE_RECORD")
    if not folder:
        yield
        return
    recorder, stop = Recorder(), threading.Event()
    world.door.on_review = recorder.review
    api = connect(str(world.kubernetes.kubeconfigs["governance"]))
    for kind, path in {"core/namespaces": NAMESPACES, **PATHS}.items():
        threading.Thread(target=_follow, args=(api, kind, path, recorder, stop), daemon=True).start()
    try:
        yield
    finally:
        stop.set()
        Path(folder).mkdir(parents=True, exist_ok=True)
        with (Path(folder) / "story.jsonl").open("w", encoding="utf-8") as out:
            out.writelines(f"{json.dumps(item)}\n" for item in [*recorder.items])


def _follow(api: Api, kind: str, path: str, recorder: Recorder, stop: threading.Event) -> None:
    """Begin as soon as the story has given the service's user its rights, which is when the service begins."""
    while not stop.is_set() and not _allowed(api, path):
        stop.wait(_UNTIL_ALLOWED_S)
    reflect(api, path, stop, recorder.on_list(kind), recorder.on_event(kind))


def _allowed(api: Api, path: str) -> bool:
    try:
        api.list(path)
    except ClusterUnavailable:
        return False
    return True
