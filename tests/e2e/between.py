"""What can go wrong between the API server and the webhook, made on purpose: answers that never arrive."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from webhooks.kubernetes.certificates import Certificates


@dataclass(slots=True)
class Door:
    """Stands before the webhook, under its certificate, and can keep its answers from the API server.

    `after_answer` holds what to do with the next answers, one each: it is called once the service has answered, so
    whatever the service commits is committed. It gives the status to answer with, or None to break the connection.
    `on_review` is given each review on its way to the service.
    """

    url: str = ""
    after_answer: list[Callable[[], int | None]] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)
    on_review: Callable[[bytes], None] = lambda _: None


@contextmanager
def door(upstream: str, certificates: Certificates) -> Iterator[Door]:
    """A door before the webhook at `upstream` (https://127.0.0.1:PORT)."""
    made = Door()
    trust = ssl.create_default_context(cafile=str(certificates.authority))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.seen.append(body)
            made.on_review(body)
            try:
                answer = httpx.post(upstream + self.path, content=body, verify=trust, timeout=30)
            except httpx.TransportError:
                self.close_connection = True
                return
            status: int | None = answer.status_code
            if made.after_answer:
                status = made.after_answer.pop(0)()
            if status is None:
                self.close_connection = True
                return
            content = answer.content if status == answer.status_code else b""
            self.send_response(status)
            if status == 503:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    made.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
