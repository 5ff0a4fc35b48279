"""The service as separate processes, as an installation runs it: `governance serve` and `governance worker`."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.parts.process import Process, free_port, spawn, wait_ready
from webhooks.kubernetes.certificates import Certificates, issue


@dataclass(slots=True)
class Service:
    """Where the service listens, and the processes that run now."""

    folder: Path
    environment: Mapping[str, str]
    certificates: Certificates
    webhook_port: int
    web_port: int
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def webhook_url(self) -> str:
        return f"https://127.0.0.1:{self.webhook_port}"

    @property
    def web_url(self) -> str:
        return f"https://127.0.0.1:{self.web_port}"

    def run(self, *commands: str) -> None:
        """Start `serve`, `worker`, or both, and wait until they are ready."""
        for command in commands:
            process = spawn(command, governance(command), self.folder, environment=self.environment)
            self.processes[command] = process
            if command == "serve":
                wait_ready(process, self.is_ready)

    def is_ready(self) -> bool:
        """Whether the doors say that everything an admission needs answers."""
        try:
            return httpx.get(f"{self.web_url}/readyz", timeout=2, verify=self.trust()).is_success
        except httpx.TransportError:
            return False

    def trust(self) -> ssl.SSLContext:
        """Trusts our own authority alone."""
        return ssl.create_default_context(cafile=str(self.certificates.authority))

    def kill(self, *commands: str) -> None:
        """End these as a power cut would."""
        for command in commands:
            self.processes.pop(command).kill()

    def stop(self) -> None:
        """End what runs, in order."""
        for process in self.processes.values():
            process.stop()
        self.processes.clear()


def governance(*words: str) -> Sequence[str]:
    """The command line of the product, run by the tests' own interpreter."""
    return [sys.executable, "-m", "governance", *words]


def configure(folder: Path, settings: Mapping[str, str]) -> Service:
    """A service in production settings, not started yet. `settings`: more of them, by environment variable."""
    certificates = issue(folder / "certificates", ["127.0.0.1"], datetime.now(UTC))
    webhook_port, web_port = free_port(), free_port()
    environment = {
        "GOVERNANCE_WEBHOOK__PORT": str(webhook_port),
        "GOVERNANCE_WEBHOOK__CERTIFICATE": str(certificates.certificate),
        "GOVERNANCE_WEBHOOK__KEY": str(certificates.key),
        "GOVERNANCE_WEB__PORT": str(web_port),
        "GOVERNANCE_WEB__PUBLIC_URL": f"https://127.0.0.1:{web_port}",
        "GOVERNANCE_WEB__CERTIFICATE": str(certificates.certificate),
        "GOVERNANCE_WEB__KEY": str(certificates.key),
        **settings,
    }
    return Service(folder, environment, certificates, webhook_port, web_port)
