"""List, then watch, then list again when the watch has lost its place: what client-go calls a reflector."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from governance.errors import ClusterUnavailable
from webhooks.kubernetes.cluster import Api, Event, Expired, Listing

_BACKOFF_FIRST_S = 0.5
_BACKOFF_MAX_S = 5.0  # a cluster that was away is read again well within the minute that the ledger may be behind

_log = structlog.get_logger(__name__)


def reflect(
    api: Api,
    path: str,
    stop: threading.Event,
    on_list: Callable[[Callable[[], Listing]], Listing],
    on_event: Callable[[Event], None],
) -> None:
    """Hand over all objects under a path, then each change of them, until `stop` is set.

    Args:
        path: an API path: `/apis/apps/v1/deployments`.
        on_list: is given the LIST to begin when it is ready (it may note the time before), and returns its answer.
        on_event: takes each ADDED, MODIFIED and DELETED, in the order of the API server.
    """
    version, backoff_s = "", _BACKOFF_FIRST_S
    while not stop.is_set():
        try:
            if not version:
                version = on_list(lambda: api.list(path)).resource_version
            for event in api.watch(path, version):
                version, backoff_s = event.object["metadata"]["resourceVersion"], _BACKOFF_FIRST_S
                if event.type != "BOOKMARK":
                    on_event(event)
                if stop.is_set():
                    return
        except Expired:
            version = ""
        except ClusterUnavailable as error:
            _log.warning("watch interrupted", path=path, reason=error.detail, again_in_s=backoff_s)
            stop.wait(backoff_s)
            backoff_s = min(backoff_s * 2, _BACKOFF_MAX_S)
