"""A TCP line between two parts: it counts round trips, and can be cut, left to stall, led elsewhere, or lie."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

_CHUNK_BYTES = 65536


class Line:
    """Carries connections to a port of this host. `round_trips`: how often the far end spoke after the near one did."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.state: Literal["whole", "cut", "stalled", "false"] = "whole"
        self.round_trips = 0
        self._answer = b""
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

    def answer(self, falsely: bytes) -> None:
        """Take connections and answer all that is said with the same bytes."""
        self.state, self._answer = "false", falsely
        self._break()

    def mend(self, target: int | None = None) -> None:
        """Carry again, to another port if one is given."""
        self.target = self.target if target is None else target
        self._break()
        self.state = "whole"

    def close(self) -> None:
        """End for good."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else a thread that waits for a connection keeps the port
        self._listener.close()
        self._break()

    def _break(self) -> None:
        with self._lock:
            for one in self._open:
                _end(one)
            self._open.clear()

    def _carry(self, near: socket.socket) -> None:
        if self.state == "cut":
            near.close()
            return
        with self._lock:
            self._open.add(near)
        if self.state == "stalled":
            return
        if self.state == "false":
            _echo(near, self._answer)
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            near.close()
            return
        with self._lock:
            self._open.add(far)
        asked = threading.Event()
        threading.Thread(target=self._pump, args=(far, near, asked, False), daemon=True).start()
        self._pump(near, far, asked, True)

    def _pump(self, source: socket.socket, sink: socket.socket, asked: threading.Event, asking: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                if asking:
                    asked.set()
                elif asked.is_set():
                    asked.clear()
                    with self._lock:
                        self.round_trips += 1
                sink.sendall(data)
        for one in (source, sink):
            _end(one)


def _echo(near: socket.socket, answer: bytes) -> None:
    with suppress(OSError):
        while near.recv(_CHUNK_BYTES):
            near.sendall(answer)
    _end(near)


def _end(one: socket.socket) -> None:
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
        thread.join()
