"""An Open Policy Agent server."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.parts.process import Process, free_port, running
from tools import parts


@dataclass(frozen=True, slots=True)
class Opa:
    """A server that runs, and its base URL."""

    url: str
    process: Process


@contextmanager
def start(folder: Path, policies: Sequence[Path]) -> Iterator[Opa]:
    """Run OPA over files and folders of Rego and data (their tests left out), logging into `folder`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command: list[str | Path] = [parts.policy() / "bin" / "opa", "run", "--server", "--addr", f"127.0.0.1:{port}"]
    command += ["--skip-version-check", "--log-level", "error", "--ignore", "*_test.rego", *policies]
    with running("opa", command, folder, lambda: _healthy(url)) as process:
        yield Opa(url, process)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=1).is_success
    except httpx.TransportError:
        return False
