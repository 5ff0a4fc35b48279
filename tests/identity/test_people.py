from __future__ import annotations

from datetime import timedelta

import pytest

from governance import clock
from governance.db.session import reading, transaction
from governance.errors import Forbidden, NotFound
from governance.identity import people
from governance.identity.model import Role, RoleAt
from governance.identity.tables import Delegation, GroupMember, Person, PersonIdentity, RoleBinding
from tests.identity.organisation import Hospital, statements


def names(found: list[Person]) -> list[str]:
    return [person.name for person in found]


def hold(hospital: Hospital, *rows: object) -> None:
    with transaction(hospital.engine) as session:
        session.add_all(rows)


def deactivate(hospital: Hospital, name: str) -> None:
    with transaction(hospital.engine) as session:
        session.merge(hospital.people[name]).active = False


def test_a_principal_holds_roles_and_groups_read_at_once(hospital: Hospital) -> None:
    with statements(hospital.engine) as sent, reading(hospital.engine) as session:
        principal = people.principal_of(session, hospital.people["lindqvist"], clock.now())
    assert principal.roles == {RoleAt(Role.APPROVER, str(hospital.nodes["radiology"].id))}
    assert principal.groups == {"platform"}
    assert principal.scopes is None
    assert len(sent) == 1


def test_a_role_at_the_root_says_so(hospital: Hospital) -> None:
    with reading(hospital.engine) as session:
        principal = people.principal_of(session, hospital.people["haddad"], clock.now())
    assert principal.roles == {RoleAt(Role.APPROVER, str(hospital.nodes["clinic"].id), root=True)}


def test_approvers_at_a_department_are_those_there_and_above(hospital: Hospital) -> None:
    with reading(hospital.engine) as session:
        assert names(people.members_of(session, "approver@radiology")) == ["haddad", "lindqvist"]
        assert names(people.members_of(session, "approver@ct-training")) == ["haddad", "lindqvist"]
        assert names(people.members_of(session, "approver@laboratory")) == ["haddad"]
        assert names(people.members_of(session, f"approver@{hospital.nodes['clinic'].id}")) == ["haddad"]


def test_a_group_has_the_members_of_its_manifest(hospital: Hospital) -> None:
    with reading(hospital.engine) as session:
        assert names(people.members_of(session, "platform")) == ["lindqvist"]
        assert people.members_of(session, "nobody-knows") == []


def test_approvers_of_an_unknown_node_are_an_error_not_nobody(hospital: Hospital) -> None:
    with reading(hospital.engine) as session, pytest.raises(NotFound, match="cardiology"):
        people.members_of(session, "approver@cardiology")


def test_whoever_configures_speaks_for_no_group(hospital: Hospital) -> None:
    sato = hospital.people["sato"].id
    hold(
        hospital,
        GroupMember(group_name="platform", person_id=sato),
        RoleBinding(person_id=sato, role="approver", node_id=hospital.nodes["clinic"].id),
    )
    with reading(hospital.engine) as session:
        assert names(people.members_of(session, "platform")) == ["lindqvist"]
        assert names(people.members_of(session, "approver@clinic")) == ["haddad"]


def test_whoever_left_speaks_for_no_group(hospital: Hospital) -> None:
    deactivate(hospital, "lindqvist")
    with reading(hospital.engine) as session:
        assert people.members_of(session, "platform") == []
        assert names(people.members_of(session, "approver@radiology")) == ["haddad"]


def test_delegates_act_while_their_time_lasts(hospital: Hospital) -> None:
    now = clock.now()
    lindqvist, okafor = hospital.people["lindqvist"].id, hospital.people["okafor"].id
    week = timedelta(days=7)
    hold(hospital, Delegation(person_id=lindqvist, delegate_id=okafor, valid_from=now, valid_until=now + week))
    with reading(hospital.engine) as session:
        assert names(people.delegates_of(session, lindqvist, now)) == ["okafor"]
        assert people.delegates_of(session, lindqvist, now + week) == []
        assert people.delegates_of(session, lindqvist, now - week) == []
        assert people.delegates_of(session, okafor, now) == []
        assert names(people.members_of(session, "platform", at=now)) == ["lindqvist", "okafor"]
        assert names(people.members_of(session, "platform", at=now + week)) == ["lindqvist"]
        assert names(people.members_of(session, "platform")) == ["lindqvist"]


def test_a_principal_knows_for_whom_they_act_while_that_lasts(hospital: Hospital) -> None:
    now, week = clock.now(), timedelta(days=7)
    okafor, lindqvist = hospital.people["okafor"], hospital.people["lindqvist"]
    hold(hospital, Delegation(person_id=lindqvist.id, delegate_id=okafor.id, valid_from=now, valid_until=now + week))
    with reading(hospital.engine) as session:
        assert people.principal_of(session, okafor, now).acts_for == {lindqvist.id}
        assert people.principal_of(session, okafor, now + week).acts_for == frozenset()
        assert people.principal_of(session, okafor, now - week).acts_for == frozenset()
        assert people.principal_of(session, lindqvist, now).acts_for == frozenset()


def test_a_delegate_who_configures_does_not_approve_for_another(hospital: Hospital) -> None:
    now = clock.now()
    lindqvist, sato = hospital.people["lindqvist"].id, hospital.people["sato"].id
    until = now + timedelta(days=1)
    hold(hospital, Delegation(person_id=lindqvist, delegate_id=sato, valid_from=now, valid_until=until))
    with reading(hospital.engine) as session:
        assert names(people.members_of(session, "platform", at=now)) == ["lindqvist"]


def test_a_person_is_known_by_sub_or_by_a_verified_address_in_any_case(hospital: Hospital) -> None:
    hold(hospital, PersonIdentity(provider="oidc", subject="00u1", person_id=hospital.people["haddad"].id))
    with reading(hospital.engine) as session:
        assert people.known_person(session, "00u1", None).name == "haddad"
        assert people.known_person(session, "other", "Okafor@X.org").name == "okafor"
        assert people.known_person(session, "00u1", "okafor@x.org").name == "haddad"  # sub is the stronger name


def test_a_stranger_and_an_unverified_address_are_nobody(hospital: Hospital) -> None:
    with reading(hospital.engine) as session:
        for subject, email in (("other", None), ("other", "mallory@x.org"), ("", ""), ("okafor", None)):
            with pytest.raises(Forbidden, match="does not know you"):
                people.known_person(session, subject, email)


def test_whoever_left_is_not_known_any_more(hospital: Hospital) -> None:
    deactivate(hospital, "okafor")
    with reading(hospital.engine) as session:
        assert people.person_by_oidc(session, "okafor@x.org", None) is None
        assert "okafor" not in names(people.active_people(session))


def test_an_address_of_two_people_means_neither(hospital: Hospital) -> None:
    hold(hospital, PersonIdentity(provider="oidc", subject="OKAFOR@x.org", person_id=hospital.people["haddad"].id))
    with reading(hospital.engine) as session:
        assert people.person_by_oidc(session, "other", "okafor@x.org") is None
