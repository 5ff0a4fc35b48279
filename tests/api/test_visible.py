"""Pages and API show a decision, and a change, to the same people."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col

from governance.admission.asking import decision_of, denial_of
from governance.admission.tables import DecisionRow
from governance.change.decide import decide
from governance.change.model import AS_ASKED, show_number
from governance.change.submit import submit
from governance.clock import now
from governance.db.session import reading, transaction
from governance.errors import Forbidden, NotFound
from governance.identity.people import person_by_name, principal_of
from governance.web.queries.changes import change_page
from governance.web.queries.decisions import find_decision
from governance.web.reader import nodes_of, reader_of
from tests.api.conftest import PEOPLE, Api
from tests.api.rows import deny

THERE = {"okafor", "lindqvist", "deployer"}  # by a role at radiology
WHOLE = {"sato", "brandt", "bauer", "keller"}  # roles at the root


def by_api(api: Api, path: str) -> set[str]:
    return {one for one in PEOPLE if api.call(one, "GET", path).status_code == 200}


def by_page(api: Api, what: UUID | str) -> set[str]:
    """For whom the page of a decision (by id) or of a change (by number) opens."""
    found = set()
    for one in PEOPLE:
        with reading(api.engine) as session:
            reader = reader_of(principal_of(session, person_by_name(session, one), now()), now())
            try:
                if isinstance(what, UUID):
                    find_decision(session, str(what), nodes_of(session), reader)
                else:
                    change_page(session, reader, what)
            except (Forbidden, NotFound):
                continue
            found.add(one)
    return found


def listed(api: Api, path: str) -> set[str]:
    return {one for one in PEOPLE if api.call(one, "GET", path).json()["items"]}


def test_a_decision_is_seen_by_roles_there_and_by_the_groups_that_it_needs(api: Api) -> None:
    decision = deny(api.engine)
    with transaction(api.engine) as session:
        needs = [{"rule": "large", "group": "platform", "minimum": 1, "deny_minimum": 1}]
        session.execute(update(DecisionRow).where(col(DecisionRow.id) == decision).values(approvals=needs))
    seen = by_api(api, f"/decisions/{decision}")
    assert seen == by_page(api, decision)
    assert seen > THERE | WHOLE
    assert "haddad" in seen  # only for being of the group
    assert "haddad" not in listed(api, "/decisions") >= THERE | WHOLE


def test_a_decision_that_is_bound_to_nothing_is_seen_by_who_sees_all_and_by_who_asked(api: Api) -> None:
    decision = deny(api.engine)
    with transaction(api.engine) as session:
        unbound = update(DecisionRow).where(col(DecisionRow.id) == decision)
        session.execute(unbound.values(project_id=None, approvals=[]))
    seen = by_api(api, f"/decisions/{decision}")
    assert seen == by_page(api, decision) == listed(api, "/decisions") == WHOLE | {"okafor"}


@pytest.mark.parametrize("decided", [False, True])
def test_a_change_is_seen_by_roles_there_by_its_groups_and_by_who_spoke_on_it(api: Api, decided: bool) -> None:
    decision = deny(api.engine)
    with transaction(api.engine) as session:
        row = decision_of(session, decision)
        row.approvals = [{"rule": "large", "group": "platform", "minimum": 1, "deny_minimum": 1}]
        session.add(row)
        session.flush()
        okafor, haddad = (person_by_name(session, one).id for one in ("okafor", "haddad"))
        change = submit(
            session, denial_of(session, row), okafor, "Backlog.", "", None, now() + timedelta(days=1), now()
        )
        if decided:
            decide(session, change.id, haddad, "approve", "", AS_ASKED, change.version, now())
        number = show_number(change.number)
    seen = by_api(api, f"/changes/{number}")
    assert seen == by_page(api, number)
    assert THERE | WHOLE | {"haddad"} <= seen
    assert listed(api, "/changes") == seen
