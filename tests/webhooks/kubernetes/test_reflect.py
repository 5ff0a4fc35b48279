from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from governance.errors import ClusterUnavailable
from webhooks.kubernetes.cluster import Api, Event, Expired, Listing
from webhooks.kubernetes.reflect import reflect


def seen(version: str, kind: str = "MODIFIED") -> Event:
    return Event(kind, {"metadata": {"resourceVersion": version}})


@dataclass
class Scripted:
    """An API server that answers by a script: one entry for each watch, each a list of events or an error."""

    watches: list[Sequence[Event] | Exception]
    stop: threading.Event
    lists: int = 0
    from_versions: list[str] = field(default_factory=list)

    def list(self, _path: str) -> Listing:
        self.lists += 1
        return Listing((), str(self.lists * 100))

    def watch(self, _path: str, version: str) -> Iterator[Event]:
        self.from_versions.append(version)
        if not self.watches:
            self.stop.set()
            return
        script = self.watches.pop(0)
        if isinstance(script, Exception):
            raise script
        yield from script


def play(*watches: Sequence[Event] | Exception) -> tuple[Scripted, list[str], int]:
    """Run a reflector against a script until it is played out."""
    stop = threading.Event()
    server = Scripted(list(watches), stop)
    events: list[str] = []
    listed: list[Listing] = []

    def on_list(begin: Callable[[], Listing]) -> Listing:
        listed.append(begin())
        return listed[-1]

    def on_event(event: Event) -> None:
        events.append(event.object["metadata"]["resourceVersion"])

    reflect(cast("Api", server), "/apis/apps/v1/deployments", stop, on_list, on_event)
    return server, events, len(listed)


def test_a_watch_that_ends_goes_on_from_the_last_version_without_a_list() -> None:
    server, events, listed = play([seen("101"), seen("102")], [seen("103")])
    assert events == ["101", "102", "103"]
    assert server.from_versions == ["100", "102", "103"]
    assert listed == 1


def test_a_bookmark_moves_the_place_and_is_no_event() -> None:
    server, events, _ = play([seen("150", "BOOKMARK")])
    assert events == []
    assert server.from_versions == ["100", "150"]


def test_a_place_that_is_too_old_is_listed_again() -> None:
    server, _, listed = play([seen("101")], Expired("gone"))
    assert listed == 2
    assert server.from_versions == ["100", "101", "200"]


def test_a_connection_that_breaks_is_taken_up_where_it_broke() -> None:
    server, events, listed = play([seen("101")], ClusterUnavailable("broken"), [seen("102")])
    assert events == ["101", "102"]
    assert server.from_versions == ["100", "101", "101", "102"]
    assert listed == 1
