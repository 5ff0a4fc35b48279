"""A line between this process and a server that counts round trips: each time the server speaks after we did."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK_BYTES = 65536


class Line:
    """Carries connections to a port of this host, and counts how often an answer was waited for."""

    def __init__(self, target: int) -> None:
        self.round_trips = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._counting = threading.Lock()

    def serve(self) -> None:
        """Carry until the listener is closed."""
        with suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._target))
                asked = threading.Event()
                for source, sink, asking in ((near, far, True), (far, near, False)):
                    work = (source, sink, asked, asking)
                    threading.Thread(target=self._carry, args=work, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _carry(self, source: socket.socket, sink: socket.socket, asked: threading.Event, asking: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                if asking:
                    asked.set()
                elif asked.is_set():
                    asked.clear()
                    with self._counting:
                        self.round_trips += 1
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
        thread.join()
