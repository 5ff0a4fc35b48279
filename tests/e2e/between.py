"""What can go wrong between two parts, made on purpose: lines that are cut or stall, answers that never arrive."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import httpx

from webhooks.kubernetes.certificates import Certificates

_CHUNK_BYTES = 65536


class Line:
    """A TCP line to another port, which can be cut, left to stall, or led elsewhere."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.state: Literal["whole", "cut", "stalled"] = "whole"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Carry connections until the listener is closed."""
        with suppress(OSError):
            while True:
                threading.Thread(target=self._carry, args=(self._listener.accept()[0],), daemon=True).start()

    def cut(self) -> None:
        """Break every connection and let none through."""
        self.state = "cut"
        self._break()

    def stall(self) -> None:
        """Take connections and never answer."""
        self.state = "stalled"
        self._break()

    def mend(self, target: int | None = None) -> None:
        """Carry again, to another port if one is given."""
        self.target = self.target if target is None else target
        self._break()
        self.state = "whole"

    def close(self) -> None:
        """End for good."""
        self._listener.close()
        self._break()

    def _break(self) -> None:
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._open.clear()

    def _carry(self, near: socket.socket) -> None:
        if self.state == "cut":
            near.close()
            return
        with self._lock:
            self._open.add(near)
        if self.state == "stalled":
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            near.close()
            return
        with self._lock:
            self._open.add(far)
        threading.Thread(target=_pump, args=(far, near), daemon=True).start()
        _pump(near, far)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            sink.sendall(data)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def line(target: int) -> Iterator[Line]:
    """A line to a port of this host."""
    made = Line(target)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.close()


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
