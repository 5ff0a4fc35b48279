"""A server that stands where OPA should, and answers as a test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from governance.policy import bundle

Reply = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """Where it listens, what it was sent, and what it replies to an evaluation. `over` is set when it ends."""

    url: str = ""
    reply: Reply = field(default=lambda _: None)
    policies: Reply = field(default=lambda handler: send(handler, policies_of(bundle.load())))
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    over: Event = field(default_factory=Event)


def send(handler: BaseHTTPRequestHandler, body: object, status: int = 200) -> None:
    """Reply with JSON, or with bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def policies_of(policies: bundle.Bundle) -> dict[str, Any]:
    """What OPA's list of policies says of those files."""
    return {"result": [policy(one.package, one.text) for one in policies.modules]}


def policy(package: str, text: str) -> dict[str, Any]:
    path = [{"type": "var", "value": "data"}, *({"type": "string", "value": part} for part in package.split("."))]
    return {"id": f"{package}.rego", "raw": text, "ast": {"package": {"path": path}}}


@contextmanager
def serving() -> Iterator[Server]:
    """Run one on a free port of 127.0.0.1."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.seen.append(("GET", self.path, dict(self.headers)))
            state.policies(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            state.seen.append(("POST", self.path, dict(self.headers)))
            state.reply(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the signature is the library's)
            """Tests read `seen`."""

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """The client hung up: that is what some tests are about."""

    listener = Listener(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        listener.shutdown()
        thread.join()
        listener.server_close()
