"""`governance worker`: what happens between requests. Safe in several copies.

Follows the clusters for the ledger, handles what clouds told, delivers the outbox, seals the audit log, lets rights
expire, and forgets objects that are long gone.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import structlog

from billing.jobs import handlers
from billing.store import Store
from governance import logs
from governance.audit.keys import load_key
from governance.audit.seal import seal_and_ship
from governance.bootstrap import Parts, build, channels_of, handling_of, keep_surroundings
from governance.change.endings import expire_due
from governance.change.freezes import extend_calendars
from governance.db.together import database_clock
from governance.errors import GovernanceError
from governance.jobs.work import work_due
from governance.notify.outbox import deliver_due
from governance.operations.allowances import end_due
from governance.quota.prune import prune
from governance.settings import Settings
from webhooks.cloud.handle import handle
from webhooks.cloud.inbox import handle_due
from webhooks.cloud.queue import drain
from webhooks.kubernetes.watch import Follower, keep_following

_RETRY_S = 5.0
_DELIVER_EVERY_S = 1.0
_HANDLE_EVERY_S = 0.5
_EXPIRE_EVERY_S = 10.0
_PRUNE_EVERY_S = 60.0
_CALENDARS_EVERY_S = 3600.0
_UPLOADS_KEPT = timedelta(days=2)

_log = structlog.get_logger(__name__)


def work(settings: Settings) -> None:
    """Run the loops until SIGTERM or SIGINT."""
    logs.configure(settings.log_level)
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
    loops = {**_following(parts, stop), **_queues(parts, stop), **_chores(parts, stop)}
    threads = [threading.Thread(target=loop, name=name, daemon=True) for name, loop in loops.items()]
    for thread in threads:
        thread.start()
    return threads


def _following(parts: Parts, stop: threading.Event) -> dict[str, Callable[[], None]]:
    holder = f"{socket.gethostname()}/{os.getpid()}"
    followers = {
        name: Follower(parts.engine, watched.api, name, watched.around) for name, watched in parts.clusters.items()
    }
    return {f"follow-{name}": partial(keep_following, one, holder, stop) for name, one in followers.items()}


def _queues(parts: Parts, stop: threading.Event) -> dict[str, Callable[[], None]]:
    now = database_clock(parts.engine)
    days_max = timedelta(days=parts.settings.cloud.event_days_max)
    return {
        f"queue-{number}": partial(every, 0, partial(drain, parts.engine, queue, now, days_max), stop)
        for number, queue in enumerate(parts.settings.cloud.aws_queues, 1)
    }


def _chores(parts: Parts, stop: threading.Event) -> dict[str, Callable[[], None]]:
    engine, settings = parts.engine, parts.settings
    now = database_clock(engine)  # what began by the database's time is due, ends and grows old by it too
    channels = channels_of(settings)
    handling = handling_of(parts, now)
    store = Store(settings.billing.folder)
    wait_max = timedelta(hours=settings.cloud.wait_hours_max)
    chores: dict[str, tuple[float, Callable[[], object]]] = {
        "deliver": (_DELIVER_EVERY_S, lambda: deliver_due(engine, channels, now)),
        "inbox": (_HANDLE_EVERY_S, lambda: handle_due(engine, partial(handle, handling), now, wait_max)),
        "jobs": (_HANDLE_EVERY_S, lambda: work_due(engine, handlers(store), now)),
        "uploads": (_PRUNE_EVERY_S, lambda: store.forget(now() - _UPLOADS_KEPT)),
        "expire": (_EXPIRE_EVERY_S, lambda: expire_due(engine, now())),
        "allowances": (_EXPIRE_EVERY_S, lambda: end_due(engine, now())),
        "prune": (_PRUNE_EVERY_S, lambda: prune(engine, now())),
        "calendars": (_CALENDARS_EVERY_S, lambda: extend_calendars(engine, now())),
    }
    if settings.audit.signing_key is not None:
        key = load_key(settings.audit.signing_key)
        seal = partial(seal_and_ship, engine, key, settings.audit.ship_to)
        chores["seal"] = (settings.audit.seal_interval_ms / 1000, lambda: seal(now()))
    return {name: partial(every, interval_s, act, stop) for name, (interval_s, act) in chores.items()}


def every(interval_s: float, act: Callable[[], object], stop: threading.Event) -> None:
    """Act again and again; whatever fails is told in the log and tried again, for a loop that ends is missed by nobody
    until somebody needs it."""
    while not stop.is_set():
        try:
            act()
            stop.wait(interval_s)
        except GovernanceError as error:
            _log.warning("a loop was interrupted", reason=str(error))
            stop.wait(_RETRY_S)
        except Exception:  # noqa: BLE001
            _log.exception("a loop failed")
            stop.wait(_RETRY_S)
