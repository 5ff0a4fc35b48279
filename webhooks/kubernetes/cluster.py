"""The Kubernetes API, as little of it as is needed: get, list and watch of plain JSON objects.

The only module that imports the `kubernetes` client: it brings kubeconfig, in-cluster credentials and TLS. Objects stay
dictionaries, as the footprint functions and the API server know them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from kubernetes import client, config
from kubernetes.watch.watch import iter_resp_lines
from urllib3.exceptions import HTTPError

from governance.errors import ClusterUnavailable

_CONNECT_TIMEOUT_S = 3
_READ_TIMEOUT_S = 30
_PAGE_ITEMS = 500


class Expired(Exception):
    """The resourceVersion to watch from is gone; list again."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a kind at one resourceVersion."""

    items: tuple[dict[str, Any], ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class Event:
    """One watch event. `type`: ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: dict[str, Any]


class Api(Protocol):
    """A cluster that can be read."""

    def get(self, path: str) -> dict[str, Any] | None:
        """One object by its API path; None when it does not exist. A quorum read. Raises ClusterUnavailable."""

    def list(self, path: str) -> Listing:
        """All objects under an API path, by a quorum read. Raises ClusterUnavailable."""

    def watch(self, path: str, resource_version: str, timeout_s: int = 300) -> Iterator[Event]:
        """Events after a resourceVersion, until the API server ends the watch. Raises Expired, ClusterUnavailable."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster by its API server."""

    client: Any

    def get(self, path: str) -> dict[str, Any] | None:
        """One object by its API path; None when it does not exist. A quorum read. Raises ClusterUnavailable."""
        response = self._request(path, (), _READ_TIMEOUT_S)
        if response.status == 404:
            response.response.release_conn()
            return None
        return self._json(response)

    def list(self, path: str) -> Listing:
        """All objects under an API path, page by page, by a quorum read. Raises ClusterUnavailable."""
        items: list[dict[str, Any]] = []
        query: tuple[tuple[str, str], ...] = (("limit", str(_PAGE_ITEMS)),)
        while True:
            page = self._json(self._request(path, query, _READ_TIMEOUT_S))
            items.extend(page["items"])
            onward = page["metadata"].get("continue")
            if not onward:
                return Listing(tuple(items), page["metadata"]["resourceVersion"])
            query = (("limit", str(_PAGE_ITEMS)), ("continue", onward))

    def watch(self, path: str, resource_version: str, timeout_s: int = 300) -> Iterator[Event]:
        """Events after a resourceVersion, until the API server ends the watch.

        Raises:
            Expired: the resourceVersion is too old.
            ClusterUnavailable: the connection could not be made or broke.
        """
        query = (
            ("watch", "true"),
            ("resourceVersion", resource_version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(timeout_s)),
        )
        response = self._request(path, query, timeout_s + _READ_TIMEOUT_S)
        if response.status == 410:
            raise Expired(path)
        if response.status != 200:
            self._json(response)
        try:
            for line in iter_resp_lines(response.response):
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    if event["object"].get("code") == 410:
                        raise Expired(path)
                    raise ClusterUnavailable(f"The watch of {path} ended: {event['object'].get('message', '')}.")
                yield Event(event["type"], event["object"])
        except (HTTPError, OSError) as error:
            raise ClusterUnavailable(f"The watch of {path} broke off ({type(error).__name__}).") from error
        finally:
            response.response.close()

    def _request(self, path: str, query: tuple[tuple[str, str], ...], read_timeout_s: int) -> Any:  # noqa: ANN401
        serialized = self.client.param_serialize("GET", path, query_params=list(query), auth_settings=["BearerToken"])
        try:
            return self.client.call_api(*serialized, _request_timeout=(_CONNECT_TIMEOUT_S, read_timeout_s))
        except (HTTPError, OSError, client.ApiException) as error:
            raise ClusterUnavailable(f"The API server does not answer ({type(error).__name__}).") from error

    def _json(self, response: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            body = response.read()
        except (HTTPError, OSError) as error:
            raise ClusterUnavailable(f"The API server broke off ({type(error).__name__}).") from error
        if response.status == 410:
            raise Expired(str(response.status))
        if response.status != 200:
            raise ClusterUnavailable(f"The API server answered {response.status} {response.reason}.")
        document: dict[str, Any] = orjson.loads(body)
        return document


def connect(kubeconfig: str | None, context: str | None = None) -> Api:
    """A connection by kubeconfig, or (None) by the pod's own service account.

    Raises:
        ClusterUnavailable: the credentials cannot be read.
    """
    try:
        if kubeconfig is None:
            configuration = client.Configuration()
            config.load_incluster_config(client_configuration=configuration)
            return Connection(client.ApiClient(configuration))
        return Connection(config.new_client_from_config(config_file=kubeconfig, context=context))
    except (config.ConfigException, OSError) as error:
        raise ClusterUnavailable(
            f"The credentials of the cluster cannot be read: {str(error).rstrip('.')}.", field="kubeconfig"
        ) from error
