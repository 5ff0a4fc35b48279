"""JSON as it is taken from machines: an object, each member once, no deeper than anybody needs, no NaN.

Source: RFC 8259, section 4 (names within an object should be unique: receivers disagree about those that are not).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from governance.errors import Malformed

Object = Mapping[str, Any]
_NAME_CHARACTERS_MAX = 128  # of a member's name, as an error tells it


def load(body: bytes, what: str, depth_max: int) -> Object:
    """Read a JSON object.

    Args:
        what: how the document is called in an error: `The review is not UTF-8.`
        depth_max: how many levels of objects and lists it may have.

    Raises:
        Malformed: not UTF-8, not JSON, not an object, too deep, or a member stands twice; says which.
    """
    found = load_any(body, what, depth_max)
    if not isinstance(found, dict):
        raise Malformed(f"The {what} is not a JSON object.")
    return found


def load_any(body: bytes, what: str, depth_max: int) -> Any:  # noqa: ANN401  (any JSON value)
    """Read any JSON value; see `load`."""
    too_deep = f"The {what} is nested deeper than {depth_max} levels."
    try:
        found = json.loads(body.decode(), object_pairs_hook=_members, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise Malformed(f"The {what} is not UTF-8.") from None
    except RecursionError:
        raise Malformed(too_deep) from None
    except json.JSONDecodeError as error:
        raise Malformed(f"The {what} is not JSON: {error.msg} at character {error.pos}.") from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise Malformed(f"The {what} holds a number that is too long.") from None
    if _is_deeper(found, depth_max):
        raise Malformed(too_deep)
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise Malformed("The member stands twice in one object.", field=twice[:_NAME_CHARACTERS_MAX])
    return members


def _no_constant(name: str) -> None:
    raise Malformed(f"{name} is no JSON.")


def _is_deeper(document: Any, levels: int) -> bool:  # noqa: ANN401
    level: list[Any] = [document] if type(document) is dict or type(document) is list else []
    for _ in range(levels):
        members = (one.values() if type(one) is dict else one for one in level)
        level = [one for each in members for one in each if type(one) is dict or type(one) is list]
        if not level:
            return False
    return bool(level)
