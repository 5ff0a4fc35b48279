"""People: who is meant by a foreign identity, what they hold, who may speak for a group, who acts for whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, cast, func, literal, null, union_all
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, select

from governance.errors import Forbidden, NotFound
from governance.identity import organisation
from governance.identity.model import Principal, Role, RoleAt, SignedInBy
from governance.identity.tables import Delegation, GroupMember, Node, Person, PersonIdentity, RoleBinding

APPROVER_AT = f"{Role.APPROVER}@"


def person_by_name(session: Session, name: str) -> Person:
    """The person of that manifest name. Raises NotFound."""
    found = session.exec(select(Person).where(Person.name == name)).one_or_none()
    if found is None:
        raise NotFound(f"There is no person {name}.", field="person")
    return found


def person_by_oidc(session: Session, subject: str, verified_email: str | None) -> Person | None:
    """The active person whom the provider means: by `sub`, else by e-mail address.

    The caller passes an address only if the provider vouches for it (`email_verified`): otherwise whoever can set
    their own address at the provider could become anybody here. Addresses compare without regard to case.
    """
    person = _by_oidc(session, col(PersonIdentity.subject) == subject)
    if person is None and verified_email:
        same = func.lower(PersonIdentity.subject) == verified_email.lower()
        person = _by_oidc(session, same)
    return person


def known_person(session: Session, subject: str, verified_email: str | None) -> Person:
    """As `person_by_oidc`. Raises Forbidden for somebody who signed in well but is nobody here."""
    person = person_by_oidc(session, subject, verified_email)
    if person is None:
        raise Forbidden(
            "You signed in, but this service does not know you.",
            remedy=f"Ask an administrator to add a Person with the identity {verified_email or subject}.",
        )
    return person


def principal_of(
    session: Session,
    person: Person,
    now: datetime,
    *,
    signed_in_by: SignedInBy = "session",
    scopes: frozenset[str] | None = None,
) -> Principal:
    """The person with every role and group that they hold now, and those for whom they act, in one read."""
    rows = session.execute(with_holdings(sa_select(Person).where(col(Person.id) == person.id), now)).all()
    return principal_from(rows, signed_in_by=signed_in_by, scopes=scopes)


def with_holdings(query: Select[*tuple[Any, ...]], now: datetime) -> Select[*tuple[Any, ...]]:
    """The query, which must select Person, with one row per role and group that the person holds, and per person for
    whom they act now, so that sign-in state and rights come in one read. Feed its rows to `principal_from`."""
    held = union_all(
        sa_select(
            col(RoleBinding.person_id),
            literal("role").label("what"),
            col(RoleBinding.role).label("name"),
            col(RoleBinding.node_id),
            col(Node.parent_id),
        ).join(Node, col(Node.id) == col(RoleBinding.node_id)),
        sa_select(
            col(GroupMember.person_id),
            literal("group").label("what"),
            col(GroupMember.group_name).label("name"),
            cast(null(), Uuid).label("node_id"),
            cast(null(), Uuid).label("parent_id"),
        ),
        sa_select(
            col(Delegation.delegate_id).label("person_id"),
            literal("acts for").label("what"),
            literal("").label("name"),
            col(Delegation.person_id).label("node_id"),
            cast(null(), Uuid).label("parent_id"),
        ).where(col(Delegation.valid_from) <= now, col(Delegation.valid_until) > now),
    ).subquery("held")
    return query.outerjoin(held, held.c.person_id == Person.id).add_columns(
        held.c.what.label("held_what"),
        held.c.name.label("held_name"),
        held.c.node_id.label("held_node"),
        held.c.parent_id.label("held_parent"),
    )


def principal_from(
    rows: Sequence[Any],
    *,
    signed_in_by: SignedInBy,
    scopes: frozenset[str] | None = None,
    token_id: UUID | None = None,
) -> Principal:
    """The principal that the rows of `with_holdings` describe; there is at least one row."""
    person: Person = rows[0].Person
    return Principal(
        person_id=person.id,
        name=person.name,
        display_name=person.display_name,
        email=person.email,
        time_zone=person.time_zone,
        roles=frozenset(
            RoleAt(Role(row.held_name), str(row.held_node), root=row.held_parent is None)
            for row in rows
            if row.held_what == "role"
        ),
        groups=frozenset(row.held_name for row in rows if row.held_what == "group"),
        acts_for=frozenset(row.held_node for row in rows if row.held_what == "acts for"),
        signed_in_by=signed_in_by,
        scopes=scopes,
        token_id=token_id,
    )


def members_of(session: Session, group: str, *, at: datetime | None = None) -> list[Person]:
    """Who may speak for an approval group, by name.

    Args:
        group: a Group manifest's name, or `approver@NODE`: everybody with the role approver at that node or above it.
            NODE is a department's or project's name, or a node's id. Whoever configures, or is a machine, is left out.
        at: with a moment given, the delegates who then act for a member stand in too.

    Raises:
        NotFound: `approver@NODE` names no node.
    """
    if group.startswith(APPROVER_AT):
        node = organisation.node_named(session, group.removeprefix(APPROVER_AT))
        path = [above.id for above in organisation.path_of(session, node.id)]
        ids = select(RoleBinding.person_id).where(RoleBinding.role == Role.APPROVER, col(RoleBinding.node_id).in_(path))
    else:
        ids = select(GroupMember.person_id).where(GroupMember.group_name == group)
    chosen = set(session.exec(ids))
    if at is not None:
        chosen |= {delegate.id for member in chosen for delegate in delegates_of(session, member, at)}
    return _who_may_approve(session, chosen)


def delegates_of(session: Session, person_id: UUID, at: datetime) -> list[Person]:
    """The active people who act for this person at that moment, by name."""
    query = (
        select(Person)
        .join(Delegation, col(Delegation.delegate_id) == col(Person.id))
        .where(
            Delegation.person_id == person_id,
            Delegation.valid_from <= at,
            Delegation.valid_until > at,
            col(Person.active).is_(True),
        )
        .order_by(Person.name)
        .distinct()
    )
    return list(session.exec(query))


def active_people(session: Session) -> list[Person]:
    """Everybody who may sign in, by name."""
    return list(session.exec(select(Person).where(col(Person.active).is_(True)).order_by(Person.display_name)))


def _who_may_approve(session: Session, ids: Iterable[UUID]) -> list[Person]:
    barred = select(RoleBinding.person_id).where(col(RoleBinding.role).in_([Role.ADMIN, Role.SERVICE]))
    query = (
        select(Person)
        .where(col(Person.id).in_(list(ids)), col(Person.active).is_(True), col(Person.id).not_in(barred))
        .order_by(Person.name)
    )
    return list(session.exec(query))


def _by_oidc(session: Session, matches: Any) -> Person | None:  # noqa: ANN401  (an SQL condition)
    query = (
        select(Person)
        .join(PersonIdentity, col(PersonIdentity.person_id) == col(Person.id))
        .where(PersonIdentity.provider == "oidc", matches, col(Person.active).is_(True))
        .distinct()
        .limit(2)
    )
    people = session.exec(query).all()
    return people[0] if len(people) == 1 else None  # two people with one address: neither is meant
