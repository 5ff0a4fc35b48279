"""What the webhook adds to a pod's creation through a real API server, and how many of them there are a second."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from benchmarks.figures import ROUNDS_MIN, Samples
from benchmarks.ground import WAYS, Client

CLIENTS = 16


@dataclass(frozen=True, slots=True)
class Creates:
    """By way, a list of rounds: seconds of each creation by one client, and creations a second by sixteen."""

    latencies_s: dict[str, list[Samples]] = field(default_factory=lambda: {way: [] for way in WAYS})
    per_second: dict[str, list[Samples]] = field(default_factory=lambda: {way: [] for way in WAYS})


def measure(client: Client, *, rounds: int, alone: int, together: int, seconds_max: float) -> Creates:
    """Measure every way in every round, starting with another one each time.

    Args:
        seconds_max: no round beyond the fifth begins later than this.
        alone: pods that one client creates, one after the other.
        together: pods that sixteen clients create at once.
    """
    for way in WAYS:  # connections, prepared statements and caches, as after minutes of service
        client.create(way, together, CLIENTS)
    found = Creates()
    ends = time.monotonic() + seconds_max
    for number in range(rounds):
        if number >= ROUNDS_MIN and time.monotonic() > ends:
            break
        turn = number % len(WAYS)
        order = WAYS[turn:] + WAYS[:turn]
        for way in order:
            found.latencies_s[way].append(client.create(way, alone, 1).latencies_s)
        for way in order:
            batch = client.create(way, together, CLIENTS)
            found.per_second[way].append([together / batch.seconds])
    return found
