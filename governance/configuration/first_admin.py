"""The first administrator: somebody must be able to apply before there is anybody.

Every later right comes from manifests, and manifests are applied over the API by an administrator; so the first one
cannot come that way. Whoever can write to the database could give themselves any right anyhow, so a local command that
does exactly this, once, and says so in the audit log, opens nothing that was closed. It makes a person who is admin of
a placeholder root. The first apply retires the placeholder, and the person with it, unless a manifest describes them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col, select

from governance.configuration.in_force import revision_in_force
from governance.configuration.specs import is_name
from governance.errors import BadInput, Conflict
from governance.identity import tokens
from governance.identity.model import EVERY_SCOPE, Role
from governance.identity.tables import ApiToken, Node, Person, RoleBinding

PLACEHOLDER = "not-configured-yet"
LIFETIME = timedelta(days=1)


def first_admin(session: Session, name: str, now: datetime) -> tokens.Created:
    """Make the first administrator and a token for them, for a day. Before the first apply it can be repeated: the
    tokens of earlier times end.

    Args:
        name: as the Person manifest will be called, so that the token is still good after the first apply.

    Raises:
        BadInput: not a name.
        Conflict: a configuration is in force, so there is an administrator.
    """
    if not is_name(name):
        raise BadInput(f"{name!r} is not a name.", field="person", remedy="Use lower-case letters, digits, - and .")
    if revision_in_force(session) > 0:
        raise Conflict(
            "There is an administrator already: a configuration is in force, and each has one.",
            remedy="Sign in as an administrator: governance login.",
        )
    root = session.exec(select(Node).where(Node.name == PLACEHOLDER)).one_or_none()
    if root is None:
        root = Node(kind="department", name=PLACEHOLDER, title="Not configured yet")
        session.add(root)
    person = session.exec(select(Person).where(Person.name == name)).one_or_none()
    if person is None:
        person = Person(name=name, display_name=name, email="")
        session.add(person)
    session.flush()
    session.merge(RoleBinding(person_id=person.id, role=Role.ADMIN, node_id=root.id))
    session.execute(update(ApiToken).where(col(ApiToken.revoked_at).is_(None)).values(revoked_at=now))
    return tokens.create(
        session,
        person_id=person.id,
        name="bootstrap",
        scopes=EVERY_SCOPE,
        valid_for=LIFETIME,
        now=now,
        actor=f"{name} (governance token bootstrap)",
    )
