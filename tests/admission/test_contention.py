"""Others move the same charge while a request is decided: it is decided all the same, and in time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from governance.admission import admit as admitting
from governance.admission import facts as facts_of
from governance.admission.admit import admit
from governance.db.session import transaction
from governance.policy.embedded import Embedded
from governance.policy.model import Evaluation
from governance.quota.tables import Charge, Usage
from tests.admission.conftest import GPU, Hospital, create, scale, training


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """What policy was asked."""
    questions: list[Mapping[str, Any]] = []
    evaluate = Embedded.evaluate

    def noted(self: Embedded, document: Mapping[str, Any]) -> Evaluation:
        questions.append(document)
        return evaluate(self, document)

    monkeypatch.setattr(Embedded, "evaluate", noted)
    return questions


@pytest.fixture
def busy(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every charge is written again as soon as anybody has read it, unless it is locked."""
    read = facts_of.read

    def overtaken(*arguments: Any) -> facts_of.Facts:  # noqa: ANN401  (those of `read`)
        facts = read(*arguments)
        with transaction(hospital.engine) as session:
            session.connection().execute(update(Charge).values(version=col(Charge.version) + 1))
        return facts

    monkeypatch.setattr(facts_of, "read", overtaken)


def test_a_request_whose_charge_keeps_moving_is_admitted_and_policy_is_asked_once(
    hospital: Hospital, asked: list[Mapping[str, Any]], request: pytest.FixtureRequest
) -> None:
    made = create(training(1))
    assert hospital.ask(made).allowed
    asked.clear()
    request.getfixturevalue("busy")
    assert hospital.ask(scale(made, 3)).allowed
    assert hospital.used("ct-training", GPU) == 3
    assert len(asked) == 1


def test_a_burst_of_events_that_change_what_policy_is_asked_about_passes_by(
    hospital: Hospital, asked: list[Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A StatefulSet is made again while the pods of the one before it go, one event after the other.
    made = create(training(1))
    assert hospital.ask(made).allowed
    asked.clear()
    read, ends = facts_of.read, time.monotonic() + 0.15

    def overtaken(*arguments: Any) -> facts_of.Facts:  # noqa: ANN401  (those of `read`)
        facts = read(*arguments)
        if time.monotonic() < ends:
            with transaction(hospital.engine) as session:
                session.connection().execute(update(Charge).values(version=col(Charge.version) + 1))
                session.connection().execute(update(Usage).values(used=col(Usage.used) + 1))
        return facts

    monkeypatch.setattr(facts_of, "read", overtaken)
    assert hospital.ask(scale(made, 3)).allowed
    assert 2 < len(asked) < 9


def test_without_the_locked_attempt_it_would_be_denied(
    hospital: Hospital, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(training(1))
    assert hospital.ask(made).allowed
    request.getfixturevalue("busy")
    monkeypatch.setattr(admitting, "_UNLOCKED_MAX", 10**6)
    decision = admit(hospital.admission, scale(made, 3), time.monotonic() + 0.5)
    assert [one.code for one in decision.violations] == ["contended"]
    assert hospital.used("ct-training", GPU) == 1


def test_a_locked_attempt_denies_what_does_not_fit(hospital: Hospital, request: pytest.FixtureRequest) -> None:
    made = create(training(1))
    assert hospital.ask(made).allowed
    request.getfixturevalue("busy")
    decision = hospital.ask(scale(made, 40))
    assert "headroom" in {one.code for one in decision.violations}
    assert hospital.used("ct-training", GPU) == 1


def test_a_request_that_waited_too_long_is_denied_without_asking_anybody(
    hospital: Hospital, asked: list[Mapping[str, Any]]
) -> None:
    decision = admit(hospital.admission, create(training(1)), time.monotonic())
    assert decision.sentences == ("this service is overloaded, so nothing new is admitted; repeat the request.",)
    assert asked == []
    assert hospital.rows("deny") == []
