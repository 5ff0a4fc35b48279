"""What the story is played on: the running service, the recorded cluster, and the command line of the product."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, select
from sqlmodel import col

from governance import clock
from governance.db.session import reading, transaction
from governance.demo.cluster import ApiServer, RecordedCluster
from governance.demo.recording import Recording
from governance.demo.telling import StepFailed
from governance.identity import tokens
from governance.identity.model import EVERY_SCOPE
from governance.identity.people import person_by_name
from governance.quota.tables import Scope
from webhooks.cloud.event import STRUCTURED

_ANSWER_S = 30
_COMMAND_S = 30
_TOKEN_LASTS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stage:
    """The parts. `address`: of pages and API; `token`: an administrator's; `folder`: scratch, gone after the demo."""

    address: str
    token: str
    folder: Path
    engine: Engine
    cluster: RecordedCluster
    api_server: ApiServer
    recording: Recording
    tokens: dict[str, str] = field(default_factory=dict)  # of the others, as they come up

    def environment(self, person: str = "") -> Mapping[str, str]:
        """What a shell needs to use the command line here, as the administrator or as somebody else."""
        return {"GOVERNANCE_SERVER": self.address, "GOVERNANCE_TOKEN": self.token_of(person) if person else self.token}

    def token_of(self, person: str) -> str:
        """A token with all that this person may do. People sign in for theirs; the story spares the reader that."""
        if person not in self.tokens:
            now = clock.now()
            with transaction(self.engine) as session:
                who = person_by_name(session, person)
                made = tokens.create(
                    session,
                    person_id=who.id,
                    name="demo",
                    scopes=EVERY_SCOPE,
                    valid_for=_TOKEN_LASTS,
                    now=now,
                    actor=person,
                )
            self.tokens[person] = made.secret
        return self.tokens[person]

    def send_event(self, event: Mapping[str, Any], person: str) -> None:
        """Send a CloudEvent in structured mode, as a cloud does. Raises httpx.HTTPError."""
        headers = {"Authorization": f"Bearer {self.token_of(person)}", "Content-Type": STRUCTURED}
        answer = httpx.post(
            f"{self.address}/api/v1/cloud/events", content=json.dumps(event), headers=headers, timeout=_ANSWER_S
        )
        answer.raise_for_status()

    def cli(self, *words: str, person: str = "") -> str:
        """Run a command of the product and give what it prints. Raises StepFailed with what it says."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("GOVERNANCE_")}
        try:
            done = subprocess.run(  # noqa: S603  (our own interpreter, our own words)
                [sys.executable, "-m", "governance", *words],
                env={**own, **self.environment(person)},
                stdin=subprocess.DEVNULL,  # nobody is asked whether to apply
                capture_output=True,
                text=True,
                timeout=_COMMAND_S,
                check=False,
                cwd=self.folder,
            )
        except subprocess.TimeoutExpired:
            raise StepFailed(f"governance {' '.join(words)} took longer than {_COMMAND_S} s.") from None
        if done.returncode != 0:
            raise StepFailed(f"governance {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def read(self, path: str) -> Any:  # noqa: ANN401  (any JSON)
        """Read from the API. Raises httpx.HTTPError."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.get(f"{self.address}/api/v1{path}", headers=headers, timeout=_ANSWER_S)
        answer.raise_for_status()
        return answer.json()

    def mode(self, cluster: str) -> str:
        """Whether a cluster observes or enforces."""
        with reading(self.engine) as session:
            return session.scalar(select(col(Scope.mode)).where(col(Scope.name) == cluster)) or ""

    def taken(self, node: str, resource: str) -> tuple[int, int]:
        """How much of a resource is held and used at a node, in ledger units."""
        for one in self.read(f"/quota/nodes/{node}")["resources"]:
            if one["resource"] == resource:
                return one["held"]["value"], one["used"]["value"]
        return 0, 0
