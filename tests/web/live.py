"""The pages on a real ledger: the example hospital, with a denied scale in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache

import httpx
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlmodel import col, select

from governance import clock
from governance.admission.admit import admit
from governance.admission.judge import Admission
from governance.admission.model import Decision
from governance.change.tables import ChangeRequest
from governance.db.session import make_engine, reading, transaction
from governance.http.ground import mount_ground, set_state
from governance.policy.factory import make_policy_engine
from governance.policy.model import PolicyEngine
from governance.settings import Database, Policy, Settings
from governance.web.mount import mount_pages
from tests.admission.conftest import create, scale, set_mode, training
from tests.configuration.manifests import apply_example
from tests.databases import begin
from tests.http.site import listening

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_VERSION = re.compile(r'name="version" value="(\d+)"')


@dataclass(slots=True)
class Live:
    """The served pages, and the ledger behind them."""

    url: str
    app: FastAPI
    engine: Engine
    admission: Admission
    denied: Decision
    people: dict[str, httpx.Client] = field(default_factory=dict)

    @property
    def ask_path(self) -> str:
        return f"/ask/{self.denied.id}"

    def as_person(self, name: str) -> httpx.Client:
        """A browser without scripts in which this person is signed in."""
        if name not in self.people:
            client = httpx.Client(
                base_url=self.url,
                headers={"Accept": "text/html", "Origin": self.url},
                timeout=10,
                follow_redirects=True,
            )
            client.post("/sign-in/demo", data={"person": name, "next": "/"}).raise_for_status()
            self.people[name] = client
        return self.people[name]

    def send(self, name: str, page: str, action: str, **fields: str) -> httpx.Response:
        """Open a page as a person, and send one of its forms."""
        client = self.as_person(name)
        opened = client.get(page).text
        version = _VERSION.search(opened)
        values = {"csrf_token": token_of(opened), **({"version": version[1]} if version else {}), **fields}
        return client.post(action, data=values)

    def ask(self, reason: str = "Backlog of 1,900 CT studies after the scanner outage.") -> str:
        """Dr. Okafor asks for what was denied; the change's page."""
        answer = self.send(
            "okafor", self.ask_path, self.ask_path, reason=reason, reference="INC-22719", until=in_a_week()
        )
        answer.raise_for_status()
        return answer.url.path

    @property
    def emergency_path(self) -> str:
        return f"{self.ask_path}/emergency"

    def break_glass(self) -> str:
        """The approver of radiology lets through what was denied; the change's page."""
        fields = {"reason": "Two stroke patients wait.", "incident": "INC-22740", "hours": "4"}
        answer = self.send("lindqvist", self.emergency_path, self.emergency_path, **fields)
        answer.raise_for_status()
        return answer.url.path

    def end_emergency(self, change: str) -> None:
        """Nobody uses it: it is taken back, and its review is due."""
        self.send("lindqvist", change, f"{change}/withdraw").raise_for_status()

    def later(self, hours: int) -> None:
        """The service's clock goes on by so many hours; whoever was signed in signs in again."""
        self.app.state.clock = lambda: clock.now() + timedelta(hours=hours)
        for client in self.people.values():
            client.close()
        self.people.clear()

    def changes(self) -> list[ChangeRequest]:
        with reading(self.engine) as session:
            return list(session.exec(select(ChangeRequest).order_by(col(ChangeRequest.number))))


def token_of(page: str) -> str:
    """The form token in a page."""
    found = _TOKEN.search(page)
    if found is None:
        raise AssertionError("the page has no form token")
    return found[1]


def in_a_week() -> str:
    """A day, as a date field sends it."""
    return (clock.now() + timedelta(days=7)).date().isoformat()


@dataclass(frozen=True, slots=True)
class Pages:
    """The served pages, before they know a database."""

    url: str
    app: FastAPI
    settings: Settings


@contextmanager
def serve(policy: PolicyEngine) -> Iterator[Pages]:
    """Serve the pages. To make them takes longer than most tests, so that many open their own databases on them."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    with listening(app) as url:
        settings = Settings(environment="demo", web={"public_url": url})  # type: ignore[arg-type]  # pydantic checks it
        mount_ground(app, make_engine(Database()), settings)
        mount_pages(app, settings, lambda: policy.rules)
        yield Pages(url, app, settings)


@contextmanager
def opened(pages: Pages, engine: Engine, policy: PolicyEngine) -> Iterator[Live]:
    """The pages on an empty database, after the example hospital was applied and one scale was denied."""
    denied, admission = begin(engine, _scale_denied), _admission(engine, policy)
    set_state(pages.app, engine, pages.settings)
    live = Live(pages.url, pages.app, engine, admission, denied)
    try:
        yield live
    finally:
        for client in live.people.values():
            client.close()


@cache
def embedded() -> PolicyEngine:
    """The default policy engine, its policies compiled once."""
    return make_policy_engine(Policy())


def _scale_denied(engine: Engine) -> Decision:
    apply_example(engine)
    with transaction(engine) as session:
        set_mode(session, "enforce")
    admission, train = _admission(engine, embedded()), create(training(10))
    admit(admission, train)
    return admit(admission, scale(train, 18))


def _admission(engine: Engine, policy: PolicyEngine) -> Admission:
    return Admission(engine, policy, "http://127.0.0.1", lambda _request, _before: None)
