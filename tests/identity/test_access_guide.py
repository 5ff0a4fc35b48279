from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from governance.db.types import new_id
from governance.identity.model import Permission, Principal, Role, RoleAt, allows_somewhere

GUIDE = Path(__file__).parents[2] / "docs" / "access.md"
ROW = re.compile(r"^\| `([a-z:-]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


SOMEBODY = Principal(new_id(), "x", "X", "x@x", "UTC", frozenset(), frozenset(), "session")
MEMBER = replace(SOMEBODY, groups=frozenset({"x"}))
DELEGATE = replace(SOMEBODY, acts_for=frozenset({new_id()}))


def holder(role: Role) -> Principal:
    return replace(SOMEBODY, roles=frozenset({RoleAt(role, "clinic", root=True)}))


def by_the_code(permission: Permission) -> str:
    if allows_somewhere(SOMEBODY, permission):
        return "everybody"
    roles = [role.value for role in Role if allows_somewhere(holder(role), permission)]
    member = ["members of an approval group"] if allows_somewhere(MEMBER, permission) else []
    delegate = ["delegates"] if allows_somewhere(DELEGATE, permission) else []
    return ", ".join([*roles, *member, *delegate])


def test_the_guide_tells_of_each_permission_as_it_is() -> None:
    told = {name: (doc, roles) for name, doc, roles in ROW.findall(GUIDE.read_text())}
    assert told == {permission.value: (permission.doc, by_the_code(permission)) for permission in Permission}
