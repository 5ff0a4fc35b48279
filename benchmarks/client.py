"""A client of the API server, as its own process: kept-alive connections, pods created one after the other by each.

Reads a command a line (JSON: namespace, prefix, count, clients), answers a line (JSON: seconds, latencies_s, refused).
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit


class Line:
    """One connection to the API server, kept open."""

    def __init__(self, url: str, ca: str, token: str) -> None:
        address = urlsplit(url)
        context = ssl.create_default_context(cafile=ca)
        self._connection = http.client.HTTPSConnection(address.netloc, context=context, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def create(self, namespace: str, name: str) -> tuple[float, str]:
        """Create a pod: the seconds that it took, and what the server said if it was refused."""
        body = json.dumps(pod(name)).encode()
        began = time.perf_counter()
        self._connection.request("POST", f"/api/v1/namespaces/{namespace}/pods", body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        took = time.perf_counter() - began
        return took, "" if response.status == http.HTTPStatus.CREATED else content.decode(errors="replace")


def pod(name: str) -> dict[str, Any]:
    """A small pod, as a person would run it."""
    resources = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}}
    container = {"name": "main", "image": f"registry.example/viewer@sha256:{'9' * 64}", "resources": resources}
    metadata = {"name": name, "labels": {"app": "viewer"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def create_all(lines: list[Line], namespace: str, prefix: str, count: int) -> dict[str, Any]:
    """Create so many pods over these connections at once; each takes its share."""
    latencies: list[float] = []
    refused: list[str] = []

    def work(line: Line, share: range) -> None:
        for number in share:
            took, reason = line.create(namespace, f"{prefix}-{number}")
            latencies.append(took)
            if reason:
                refused.append(reason)

    workers = [
        threading.Thread(target=work, args=(line, range(place, count, len(lines)))) for place, line in enumerate(lines)
    ]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {"seconds": time.perf_counter() - began, "latencies_s": latencies, "refused": refused[:1]}


def main() -> None:
    """Serve commands until standard input ends. Arguments: URL, CA file, token."""
    url, ca, token = sys.argv[1:]
    lines: list[Line] = []
    for command in sys.stdin:
        asked = json.loads(command)
        while len(lines) < asked["clients"]:
            lines.append(Line(url, ca, token))
        answer = create_all(lines[: asked["clients"]], asked["namespace"], asked["prefix"], asked["count"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
