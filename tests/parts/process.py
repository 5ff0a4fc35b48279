"""Programs that a test starts: logged to a file, awaited by a condition, stopped by process id."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

POLL_EVERY_S = 0.05
LOG_TAIL_BYTES = 4_000


@dataclass(frozen=True, slots=True)
class Process:
    """A program that runs, and where it writes its output."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The process id."""
        return self.popen.pid

    def is_running(self) -> bool:
        """Whether the program has not ended."""
        return self.popen.poll() is None

    def kill(self) -> None:
        """End the program as a power cut would (SIGKILL), and wait for it to be gone."""
        self.popen.kill()
        self.popen.wait()

    def stop(self, with_signal: signal.Signals = signal.SIGTERM, grace_s: float = 15) -> int:
        """Ask the program to end, insist after grace_s seconds, and give its exit code."""
        if self.is_running():
            self.popen.send_signal(with_signal)
        try:
            return self.popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.popen.wait()

    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 30) -> None:
    """Return as soon as the condition holds; TimeoutError naming `what` if it does not within timeout_s seconds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            message = f"{what}: not so after {timeout_s:g} s"
            raise TimeoutError(message)
        time.sleep(POLL_EVERY_S)


def spawn(
    name: str,
    command: Sequence[str | Path],
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Process:
    """Start a program that writes to folder/name.log; `user` is whom to run it as, where we are root."""
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | dict(environment or {}),
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
    return Process(name, popen, log)


def wait_ready(process: Process, ready: Callable[[], object], timeout_s: float = 60) -> None:
    """Wait until the program is ready; a program that ended or is late is stopped and reported with its log's end."""

    def settled() -> bool:
        return not process.is_running() or bool(ready())

    try:
        wait_until(settled, f"{process.name} ready", timeout_s)
    except TimeoutError as late:
        process.stop()
        message = f"{late}\n{process.tail()}"
        raise RuntimeError(message) from late
    if not process.is_running():
        message = f"{process.name} ended with {process.popen.returncode}\n{process.tail()}"
        raise RuntimeError(message)


@contextmanager
def running(
    name: str,
    command: Sequence[str | Path],
    folder: Path,
    ready: Callable[[], object],
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Iterator[Process]:
    """Start a program, wait until it is ready, and stop it at the end."""
    process = spawn(name, command, folder, environment=environment, user=user)
    try:
        wait_ready(process, ready)
        yield process
    finally:
        process.stop(stop_signal)


def answers(port: int) -> bool:
    """Whether somebody accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
