from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.db.types import new_id
from governance.identity.model import (
    EVERY_SCOPE,
    Permission,
    Principal,
    Role,
    RoleAt,
    allows,
    allows_everywhere,
    allows_somewhere,
    nodes_allowing,
    permissions_of,
)

CLINIC, RADIOLOGY, TRAINING, LABORATORY = "clinic", "radiology", "ct-training", "laboratory"
TO_TRAINING = (TRAINING, RADIOLOGY, CLINIC)
EVERYBODY = {Permission.PROFILE, Permission.TOKEN_OWN}

principals = st.builds(
    Principal,
    person_id=st.just(new_id()),
    name=st.just("x"),
    display_name=st.just("X"),
    email=st.just("x@x"),
    time_zone=st.just("UTC"),
    roles=st.frozensets(st.builds(RoleAt, st.sampled_from(Role), st.sampled_from(TO_TRAINING), st.booleans())),
    groups=st.frozensets(st.sampled_from(["platform", "radiology"])),
    signed_in_by=st.just("token"),
    scopes=st.none() | st.frozensets(st.sampled_from(EVERY_SCOPE)),
)


def person(*roles: RoleAt, groups: frozenset[str] = frozenset(), scopes: frozenset[str] | None = None) -> Principal:
    return Principal(new_id(), "x", "X", "x@x", "UTC", frozenset(roles), groups, "session", scopes)


def test_a_role_holds_at_its_node_and_below_it_and_nowhere_else() -> None:
    approver = person(RoleAt(Role.APPROVER, RADIOLOGY))
    assert allows(approver, Permission.CHANGE_REVIEW, (RADIOLOGY, CLINIC))
    assert allows(approver, Permission.CHANGE_REVIEW, TO_TRAINING)
    assert not allows(approver, Permission.CHANGE_REVIEW, (CLINIC,))
    assert not allows(approver, Permission.CHANGE_REVIEW, (LABORATORY, CLINIC))


def test_no_node_means_only_what_everybody_may_do() -> None:
    admin = person(RoleAt(Role.ADMIN, CLINIC, root=True))
    assert {permission for permission in Permission if allows(admin, permission, ())} == EVERYBODY


def test_somebody_without_roles_may_only_see_themselves() -> None:
    assert permissions_of(person()) == EVERYBODY


def test_the_whole_organisation_is_for_roles_at_its_root() -> None:
    assert allows_everywhere(person(RoleAt(Role.ADMIN, CLINIC, root=True)), Permission.CONFIGURATION_APPLY)
    assert not allows_everywhere(person(RoleAt(Role.ADMIN, RADIOLOGY)), Permission.CONFIGURATION_APPLY)


def test_only_an_admin_applies_configuration() -> None:
    may = {role for role in Role if allows(person(RoleAt(role, CLINIC)), Permission.CONFIGURATION_APPLY, (CLINIC,))}
    assert may == {Role.ADMIN}


def test_only_approvers_and_members_of_groups_review() -> None:
    may = {role for role in Role if allows_somewhere(person(RoleAt(role, CLINIC)), Permission.CHANGE_REVIEW)}
    assert may == {Role.APPROVER}
    assert allows_somewhere(person(groups=frozenset({"platform"})), Permission.CHANGE_REVIEW)


def test_a_group_opens_the_route_but_no_node() -> None:
    assert not allows(person(groups=frozenset({"platform"})), Permission.CHANGE_REVIEW, TO_TRAINING)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SERVICE])
def test_who_configures_or_is_a_machine_never_approves_whatever_else_they_are(role: Role) -> None:
    both = person(RoleAt(role, LABORATORY), RoleAt(Role.APPROVER, CLINIC), groups=frozenset({"platform"}))
    assert not allows_somewhere(both, Permission.CHANGE_REVIEW)
    assert not allows(both, Permission.CHANGE_REVIEW, TO_TRAINING)
    assert not nodes_allowing(both, Permission.CHANGE_REVIEW)
    assert not allows_somewhere(both, Permission.CHANGE_BREAK_GLASS)


def test_a_token_does_what_it_was_made_for_and_no_more() -> None:
    token = person(RoleAt(Role.APPROVER, CLINIC), scopes=frozenset({"quota:read"}))
    assert permissions_of(token) == {Permission.QUOTA_READ}
    assert nodes_allowing(token, Permission.QUOTA_READ) == {CLINIC}
    assert not nodes_allowing(token, Permission.CHANGE_READ)


def test_a_token_does_not_do_more_than_its_person() -> None:
    assert permissions_of(person(scopes=frozenset(EVERY_SCOPE))) == EVERYBODY


def test_each_permission_says_in_a_sentence_what_it_is_for() -> None:
    assert all(permission.doc.endswith(".") for permission in Permission)


@given(principals, st.sampled_from(EVERY_SCOPE))
def test_taking_a_scope_away_never_gives_anything(principal: Principal, scope: str) -> None:
    before = permissions_of(principal)
    scopes = frozenset(EVERY_SCOPE) if principal.scopes is None else principal.scopes
    narrower = replace(principal, scopes=scopes - {scope})
    assert permissions_of(narrower) <= before


@given(principals, st.sampled_from(Permission))
def test_what_is_allowed_at_a_node_is_allowed_somewhere(principal: Principal, permission: Permission) -> None:
    if allows(principal, permission, TO_TRAINING) or allows_everywhere(principal, permission):
        assert allows_somewhere(principal, permission)
