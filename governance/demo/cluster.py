"""A cluster that plays recordings: it can be read like a real one, and it asks the webhook over TLS like a real one."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from governance.demo.recording import Scene, Told
from webhooks.kubernetes.cluster import Event, Listing
from webhooks.kubernetes.watch import NAMESPACES, PATHS

_KINDS = {path: kind for kind, path in PATHS.items()} | {NAMESPACES: "core/namespaces"}
_WATCH_S = 5  # then a watch ends and is made anew, as an API server's does
_ANSWER_S = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """What the webhook answered. `message`: what `kubectl` prints of a denial; `decision`: its id, if it was kept."""

    allowed: bool
    message: str
    decision: str


class RecordedCluster:
    """What was told so far, to be listed, read and watched (`webhooks.kubernetes.cluster.Api`)."""

    def __init__(self) -> None:
        self._told: list[Told] = []
        self._more = threading.Condition()

    def tell(self, scene: Scene) -> None:
        """Let happen what the scene tells."""
        with self._more:
            self._told += scene.told
            self._more.notify_all()

    def get(self, path: str) -> dict[str, Any] | None:
        """One object by its API path; None when it does not exist."""
        root, _, rest = path.partition("/namespaces/")
        namespace, plural, name = rest.split("/")
        wanted = {"namespace": namespace, "name": name}
        return next(
            (one for one in self.list(f"{root}/{plural}").items if wanted.items() <= one["metadata"].items()), None
        )

    def list(self, path: str) -> Listing:
        """All objects under an API path; of kinds that were not recorded there are none."""
        with self._more:
            told = [*self._told]
        there: dict[str, dict[str, Any]] = {}
        for one in told:
            if one.kind == _KINDS.get(path):
                there[one.object["metadata"]["uid"]] = one.object
                if one.type == "DELETED":
                    del there[one.object["metadata"]["uid"]]
        return Listing(tuple(there.values()), str(max((_version(one) for one in told), default=0)))

    def watch(self, path: str, resource_version: str, timeout_s: int = 300) -> Iterator[Event]:
        """What is told of a kind after a resourceVersion, as it happens."""
        after = int(resource_version)
        while told := self._wait(path, after, min(_WATCH_S, timeout_s)):
            for one in told:
                after = _version(one)
                yield Event(one.type, one.object)

    def _wait(self, path: str, version: int, timeout_s: int) -> Sequence[Told]:
        with self._more:
            self._more.wait_for(lambda: self._after(path, version), timeout_s)
            return self._after(path, version)

    def _after(self, path: str, version: int) -> Sequence[Told]:
        return [one for one in self._told if one.kind == _KINDS.get(path) and _version(one) > version]


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Sends recorded reviews to the webhook, whose certificate it checks."""

    url: str
    trust: ssl.SSLContext

    def ask(self, scene: Scene) -> Answer:
        """Send the scene's review. Raises httpx.HTTPError if the webhook does not answer."""
        answer = httpx.post(self.url, json=scene.review, verify=self.trust, timeout=_ANSWER_S)
        answer.raise_for_status()
        said = answer.json()["response"]
        decision = said.get("auditAnnotations", {}).get("decision", "")
        return Answer(said["allowed"], said.get("status", {}).get("message", ""), decision)


def _version(told: Told) -> int:
    return int(told.object["metadata"]["resourceVersion"])
