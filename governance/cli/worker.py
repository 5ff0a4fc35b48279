"""`governance worker`: what happens between requests. Safe in several copies.

Follows the clusters for the ledger, delivers the outbox, seals the audit log, and lets rights expire.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable

import structlog

from governance.bootstrap import Parts, build, keep_surroundings
from governance.errors import GovernanceError
from governance.settings import Settings
from webhooks.kubernetes.watch import Follower, keep_following

_RETRY_S = 5.0

_log = structlog.get_logger(__name__)


def work(settings: Settings) -> None:
    """Run the loops until SIGTERM or SIGINT."""
    parts = build(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    keep_surroundings(parts, stop)
    threads = start_loops(parts, stop)
    stop.wait()
    for thread in threads:
        thread.join(timeout=5)
    parts.engine.dispose()


def start_loops(parts: Parts, stop: threading.Event) -> list[threading.Thread]:
    """Start every loop in a thread of its own; they end soon after `stop` is set."""
    holder = f"{socket.gethostname()}/{os.getpid()}"
    loops: list[Callable[[], None]] = []
    for name, watched in parts.clusters.items():
        follower = Follower(parts.engine, watched.api, name, watched.around)
        loops.append(lambda follower=follower: keep_following(follower, holder, stop))  # type: ignore[misc]
    threads = [threading.Thread(target=loop, name=f"loop-{number}", daemon=True) for number, loop in enumerate(loops)]
    for thread in threads:
        thread.start()
    return threads


def every(interval_s: float, act: Callable[[], object], stop: threading.Event) -> None:
    """Act again and again; a failure is told in the log and tried again."""
    while not stop.is_set():
        try:
            act()
            stop.wait(interval_s)
        except GovernanceError as error:
            _log.warning("a loop was interrupted", reason=str(error))
            stop.wait(_RETRY_S)
