from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from governance import clock
from governance.audit.tables import AuditEvent
from governance.db.session import reading, transaction
from governance.db.types import new_id
from governance.errors import BadInput, Forbidden, NotFound
from governance.identity import tokens
from governance.identity.model import Permission
from governance.identity.tables import ApiToken
from tests.identity.organisation import Hospital, statements

DAY = timedelta(days=1)
NOW = clock.now()


def make(hospital: Hospital, **changes: Any) -> tokens.Created:  # noqa: ANN401  (any argument of create)
    arguments: dict[str, Any] = {
        "person_id": hospital.people["okafor"].id,
        "name": "pipeline",
        "scopes": ["quota:read", "change:ask"],
        "valid_for": DAY,
        "now": NOW,
        "actor": "okafor",
    }
    with transaction(hospital.engine) as session:
        return tokens.create(session, **(arguments | changes))


def test_a_token_stands_for_its_person_with_its_scopes_read_at_once(hospital: Hospital) -> None:
    created = make(hospital)
    with statements(hospital.engine) as sent, reading(hospital.engine) as session:
        found = tokens.lookup(session, created.secret, NOW)
    assert found is not None
    assert found.principal.name == "okafor"
    assert found.principal.scopes == frozenset({"quota:read", "change:ask"})
    assert found.principal.token_id == created.token.id
    assert len(sent) == 1


def test_the_secret_is_long_recognisable_and_kept_nowhere(hospital: Hospital) -> None:
    created = make(hospital)
    assert created.secret.startswith("gov_")
    assert len(created.secret) >= len("gov_") + 43  # 256 bits in base64url
    with reading(hospital.engine) as session:
        rows = [row.model_dump_json() for table in (ApiToken, AuditEvent) for row in session.exec(select(table)).all()]
    assert rows
    assert not any(created.secret in row or created.secret.removeprefix("gov_") in row for row in rows)


def test_two_tokens_differ(hospital: Hospital) -> None:
    assert make(hospital).secret != make(hospital).secret


@pytest.mark.parametrize("secret", ["", "gov_", "gov_unknown", "Bearer x", "\x00", "gov_" + "é" * 10_000])
def test_an_unknown_token_stands_for_nobody(hospital: Hospital, secret: str) -> None:
    make(hospital)
    with reading(hospital.engine) as session:
        assert tokens.lookup(session, secret, NOW) is None


def test_what_is_kept_is_not_itself_a_token(hospital: Hospital) -> None:
    created = make(hospital)
    with reading(hospital.engine) as session:
        assert tokens.lookup(session, created.token.token_hash, NOW) is None


def test_a_token_ends_with_its_time(hospital: Hospital) -> None:
    created = make(hospital)
    with reading(hospital.engine) as session:
        assert tokens.lookup(session, created.secret, NOW + DAY - timedelta(seconds=1)) is not None
        assert tokens.lookup(session, created.secret, NOW + DAY) is None


def test_a_token_ends_when_it_is_revoked_and_a_repeat_changes_nothing(hospital: Hospital) -> None:
    created = make(hospital)
    for later in (DAY / 4, DAY / 2):
        with transaction(hospital.engine) as session:
            tokens.revoke(session, created.token.id, NOW + later, actor="okafor")
    with reading(hospital.engine) as session:
        assert tokens.lookup(session, created.secret, NOW) is None
        (listed,) = tokens.list_of(session, hospital.people["okafor"].id)
        assert listed.revoked_at == NOW + DAY / 4


def test_a_token_ends_when_its_person_leaves(hospital: Hospital) -> None:
    created = make(hospital)
    with transaction(hospital.engine) as session:
        session.merge(hospital.people["okafor"]).active = False
    with reading(hospital.engine) as session:
        assert tokens.lookup(session, created.secret, NOW) is None


def test_nobody_revokes_the_token_of_another_by_its_id(hospital: Hospital) -> None:
    created = make(hospital)
    with transaction(hospital.engine) as session:
        for person, token in ((hospital.people["haddad"].id, created.token.id), (None, new_id())):
            with pytest.raises(NotFound):
                tokens.revoke(session, token, NOW, actor="haddad", person_id=person)


def test_making_and_revoking_stand_in_the_audit_log(hospital: Hospital) -> None:
    created = make(hospital)
    with transaction(hospital.engine) as session:
        tokens.revoke(session, created.token.id, NOW + DAY / 2, actor="sato", request_id="r1")
    with reading(hospital.engine) as session:
        events = session.exec(select(AuditEvent).order_by(AuditEvent.at)).all()  # type: ignore[arg-type]  # a column
    assert [(one.actor, one.action, one.subject_id) for one in events] == [
        ("okafor", "token.create", str(created.token.id)),
        ("sato", "token.revoke", str(created.token.id)),
    ]
    assert events[0].after is not None
    assert events[0].after["scopes"] == ["change:ask", "quota:read"]
    assert events[1].request_id == "r1"


def test_its_use_is_written_down_at_most_once_a_minute(hospital: Hospital) -> None:
    created = make(hospital)
    used = []
    for seconds in (0, 59, 60, 61):
        now = NOW + timedelta(seconds=seconds)
        with transaction(hospital.engine) as session:
            found = tokens.lookup(session, created.secret, now)
            assert found is not None
            tokens.note_use(session, created.token.id, now)
        with reading(hospital.engine) as session:
            (listed,) = tokens.list_of(session, hospital.people["okafor"].id)
        used.append((found.note_use, listed.last_used_at))
    first, later = NOW, NOW + timedelta(seconds=60)
    assert used == [(True, first), (False, first), (True, later), (False, later)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"valid_for": timedelta(0)}, "expires"),
        ({"valid_for": timedelta(days=-1)}, "expires"),
        ({"valid_for": timedelta(days=367)}, "expires"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(hospital: Hospital, change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        make(hospital, **change)
    assert refused.value.field == field
    with reading(hospital.engine) as session:
        assert session.exec(select(ApiToken)).all() == []
        assert session.exec(select(AuditEvent)).all() == []


def test_a_token_makes_no_wider_token(hospital: Hospital) -> None:
    created = make(hospital)
    with reading(hospital.engine) as session:
        found = tokens.lookup(session, created.secret, NOW)
    assert found is not None
    tokens.refuse_more_than_own(found.principal, [Permission.QUOTA_READ])
    with pytest.raises(Forbidden, match="audit:read"):
        tokens.refuse_more_than_own(found.principal, [Permission.QUOTA_READ, Permission.AUDIT_READ])
