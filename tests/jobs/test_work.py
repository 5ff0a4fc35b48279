"""Jobs: asked for, worked on by whoever is there, begun again after a crash; on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from governance import clock
from governance.db.session import reading, transaction
from governance.errors import BadInput, DatabaseUnavailable
from governance.identity.people import person_by_name
from governance.jobs.tables import Job
from governance.jobs.work import ATTEMPTS_MAX, Doing, Refused, submit, work_due
from tests.configuration.manifests import apply_example
from tests.databases import begin

KIND = "billing.import"


class Ahead:
    """A clock that can be set forward."""

    def __init__(self) -> None:
        self.by = timedelta()

    def __call__(self) -> datetime:
        return clock.now() + self.by


@pytest.fixture
def now() -> Ahead:
    return Ahead()


def ask(engine: Engine) -> None:
    begin(engine, apply_example)
    with transaction(engine) as session:
        submit(session, KIND, {"file": "x"}, person_by_name(session, "okafor").id, clock.now())


def job(engine: Engine) -> Job:
    with reading(engine) as session:
        return session.scalars(select(Job)).one()


def test_a_job_is_done_once_and_its_result_kept(engine: Engine, now: Ahead) -> None:
    ask(engine)
    phases = []

    def do(doing: Doing) -> Mapping[str, Any]:
        doing.tell("reading", 1, 2)
        phases.append((job(engine).phase, job(engine).done, job(engine).total))
        return {"lines": 7}

    assert work_due(engine, {KIND: do}, now) == 1
    assert work_due(engine, {KIND: do}, now) == 0
    assert phases == [("reading", 1, 2)]
    found = job(engine)
    assert (found.result, found.problem, found.phase, found.parameters) == ({"lines": 7}, None, "ended", {"file": "x"})
    assert found.ended_at is not None


def test_a_refusal_ends_it_and_names_every_place(engine: Engine, now: Ahead) -> None:
    ask(engine)

    def do(_: Doing) -> Mapping[str, Any]:
        raise Refused("2 problems.", [{"line": 3, "field": "BilledCost", "detail": "no"}], remedy="Correct them.")

    assert work_due(engine, {KIND: do}, now) == 1
    problem = job(engine).problem
    assert problem is not None
    assert problem["errors"][0]["line"] == 3


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), None])
def test_what_can_be_done_later_is_tried_again_and_in_the_end_given_up(
    engine: Engine, now: Ahead, error: DatabaseUnavailable | None
) -> None:
    ask(engine)
    tried = []

    def do(_: Doing) -> Mapping[str, Any]:
        tried.append(1)
        raise error or KeyboardInterrupt  # as if the worker were killed

    for _ in range(ATTEMPTS_MAX):
        now.by += timedelta(minutes=2)
        if error:
            work_due(engine, {KIND: do}, now)
        else:
            with pytest.raises(KeyboardInterrupt):
                work_due(engine, {KIND: do}, now)
    now.by += timedelta(minutes=2)
    work_due(engine, {KIND: do}, now)
    assert len(tried) == ATTEMPTS_MAX
    assert job(engine).problem is not None


def test_a_worker_that_tells_keeps_its_job(engine: Engine, now: Ahead) -> None:
    ask(engine)
    others = []

    def do(doing: Doing) -> Mapping[str, Any]:
        for _ in range(3):
            now.by += timedelta(seconds=50)
            others.append(work_due(engine, {KIND: do}, now))
            doing.tell("still at it")
        return {}

    assert work_due(engine, {KIND: do}, now) == 1
    assert others == [0, 0, 0]


def test_a_failure_of_ours_is_told_without_its_inside(engine: Engine, now: Ahead) -> None:
    ask(engine)

    def do(_: Doing) -> Mapping[str, Any]:
        raise RuntimeError("the password is x")

    assert work_due(engine, {KIND: do}, now) == 1
    problem = job(engine).problem
    assert problem is not None
    assert problem["status"] == 500
    assert "password" not in str(problem)
    assert BadInput.status not in problem.values()
