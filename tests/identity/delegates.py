"""Somebody without a role of their own, who acts for others."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from governance import clock
from governance.db.session import transaction
from governance.identity.people import person_by_name
from governance.identity.tables import Delegation, Person

NAME = "stand-in"


def hire(engine: Engine) -> None:
    """Add the stand-in, who acts for nobody yet."""
    with transaction(engine) as session:
        session.add(Person(name=NAME, display_name="Dr. S. Stand-In", email="stand-in@hospital.example"))


def act_for(engine: Engine, person: str) -> None:
    """From now on, for an hour, the stand-in acts for this person."""
    now = clock.now()
    with transaction(engine) as session:
        session.add(
            Delegation(
                person_id=person_by_name(session, person).id,
                delegate_id=person_by_name(session, NAME).id,
                valid_from=now,
                valid_until=now + timedelta(hours=1),
            )
        )
