from __future__ import annotations

import re
from pathlib import Path

from governance.db.types import new_id
from governance.identity.model import Permission, Principal, Role, RoleAt, allows_somewhere

GUIDE = Path(__file__).parents[2] / "docs" / "access.md"
ROW = re.compile(r"^\| `([a-z:-]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def may(permission: Permission, *roles: Role, groups: frozenset[str] = frozenset()) -> bool:
    held = frozenset(RoleAt(role, "clinic", root=True) for role in roles)
    return allows_somewhere(Principal(new_id(), "x", "X", "x@x", "UTC", held, groups, "session"), permission)


def by_the_code(permission: Permission) -> str:
    if may(permission):
        return "everybody"
    roles = [role.value for role in Role if may(permission, role)]
    return ", ".join([*roles, *(["members of an approval group"] if may(permission, groups=frozenset({"x"})) else [])])


def test_the_guide_tells_of_each_permission_as_it_is() -> None:
    told = {name: (doc, roles) for name, doc, roles in ROW.findall(GUIDE.read_text())}
    assert told == {permission.value: (permission.doc, by_the_code(permission)) for permission in Permission}
