"""A door of the tests' own: an HTTPS server that keeps the reviews a real API server sends, and answers as told."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from webhooks.kubernetes.certificates import issue
from webhooks.kubernetes.review import Review, Unreadable, allow, deny, parse

PROBE = "probe"  # a request for this name is refused, so that a test sees when the registration holds
BODY_BYTES_MAX = 4 * 1024 * 1024


@dataclass(slots=True)
class Door:
    """Where it listens, and what came in."""

    url: str
    ca_bundle: bytes
    reviews: list[Review] = field(default_factory=list)
    answer: Callable[[Review], bytes] = field(default=lambda review: allow(review.uid))

    def sent(self, **wanted: str) -> list[Review]:
        """The reviews with these fields."""
        return [one for one in self.reviews if all(getattr(one, name) == value for name, value in wanted.items())]


@contextmanager
def opened(folder: Path) -> Iterator[Door]:
    """Listen on a free port of 127.0.0.1."""
    files = issue(folder, ["127.0.0.1"], datetime.now(UTC))
    door: Door

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            review = parse(body, body_bytes_max=BODY_BYTES_MAX)
            if isinstance(review, Unreadable):
                raise review.error
            if review.name == PROBE:
                answer = deny(review.uid, "the webhook is asked")
            else:
                door.reviews.append(review)
                answer = door.answer(review)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  (the signature is http.server's)
            """Keep the test's output quiet."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        door = Door(f"https://127.0.0.1:{server.server_port}", files.authority.read_bytes())
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield door
        server.shutdown()
        thread.join()
