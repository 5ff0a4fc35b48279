"""Reading fields of a JSON object that somebody else wrote: absent is empty, a wrong type names the field.

Paths are dotted (`spec.template.spec`). A key that may hold a dot itself, a label or a resource name, is read from
the section that holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

from governance.errors import BadInput
from governance.units import parse_quantity

Object = Mapping[str, Any]
Quantities = dict[str, Decimal]

_THOUSANDTH = Decimal("0.001")
_UP = Context(prec=1200, rounding=ROUND_CEILING)  # room for whatever parse_quantity gives
_WHOLE_MAX = 2**31 - 1  # replicas, ports and counts are int32 in Kubernetes


def at(source: Object, path: str) -> Any:  # noqa: ANN401  (any JSON value)
    """What stands at the path; None where any part of it is absent or null. Raises BadInput through a non-object."""
    found: Any = source
    for name in path.split("."):
        if found is None:
            return None
        if type(found) is not dict and not isinstance(found, Mapping):  # the first alone is much quicker
            raise _wrong(path, "an object on the way to it", found)
        found = found.get(name)
    return found


def section(source: Object, path: str) -> Object:
    """The object at the path, empty when absent. Raises BadInput."""
    found = at(source, path)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise _wrong(path, "an object", found)
    return found


def items(source: Object, path: str) -> Sequence[Object]:
    """The list of objects at the path, empty when absent. Raises BadInput."""
    found = at(source, path)
    if found is None:
        return ()
    if not isinstance(found, list | tuple) or not all(isinstance(one, Mapping) for one in found):
        raise _wrong(path, "a list of objects", found)
    return found


def text(source: Object, path: str) -> str:
    """The string at the path, empty when absent. Raises BadInput."""
    found = at(source, path)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise _wrong(path, "a string", found)
    return found


def flag(source: Object, path: str, *, default: bool = False) -> bool:
    """The boolean at the path. Raises BadInput."""
    found = at(source, path)
    if found is None:
        return default
    if not isinstance(found, bool):
        raise _wrong(path, "true or false", found)
    return found


def whole(source: Object, path: str, default: int = 0) -> int:
    """The number at the path, from 0 to 2^31-1. Raises BadInput."""
    found = optional_whole(source, path)
    return default if found is None else found


def optional_whole(source: Object, path: str) -> int | None:
    """The number at the path, from 0 to 2^31-1; None when absent. Raises BadInput."""
    found = at(source, path)
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= _WHOLE_MAX:
        raise _wrong(path, f"a whole number from 0 to {_WHOLE_MAX}", found)
    return found


def scaled(source: Object, path: str, of: int, default: int | str) -> int:
    """A number or a percentage of `of`, rounded up (apimachinery `intstr.GetScaledValueFromIntOrPercent`).

    Raises:
        BadInput: neither.
    """
    found = at(source, path)
    found = default if found is None else found
    if isinstance(found, str) and found.endswith("%") and found[:-1].isascii() and found[:-1].isdigit():
        return -(-int(found[:-1][:9]) * of // 100)
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= _WHOLE_MAX:
        return found
    raise _wrong(path, "a number or a percentage", found)


def quantities(source: Object, path: str) -> Quantities:
    """The resource list at the path, empty when absent. Raises BadInput with the resource."""
    return {name: quantity(value, f"{path}.{name}") for name, value in section(source, path).items()}


def quantity(value: object, field: str) -> Decimal:
    """One quantity of a resource list, in thousandths, rounded up, as the API server stores it
    (k8s.io/kubernetes `pkg/apis/core/v1/defaults.go`, SetDefaults_ResourceList). Raises BadInput."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise _wrong(field, "a quantity", value)
    return parse_quantity(value, field=field).quantize(_THOUSANDTH, context=_UP)


def _wrong(path: str, expected: str, found: object) -> BadInput:
    return BadInput(f"{expected} is expected, not {type(found).__name__}.", field=path, remedy="Correct the object.")
