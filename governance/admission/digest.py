"""What makes two requests the same: the canonical request, its digest and its subject. Pure. LEDGER.md, "Grants".

The canonical request is one JSON object with exactly these members:

    version       1
    door          kubernetes, cloud or pipeline
    scope         the cluster, account or subscription
    kind          group/resource; the API version stays out, for it does not change what is asked
    namespace
    name          or, for a new object that asks for a generated name, its prefix and an asterisk
    changes       the governed paths with their values after, as Request.changes has them
    template      the hash of the template as it will run; of a Scale, the template that the ledger knows
    footprint     what the object takes afterwards, in ledger units (`footprint_of`)
    project       the project's id
    environment

written as RFC 8785 writes JSON (no white space, members sorted, the shortest escapes, UTF-8), except that members are
sorted by Unicode code point, not by UTF-16 unit, and that numbers are integers: a float is refused. `digest_of` is
SHA-256 over it in hex. `subject_of` is the same with `footprint` left out and of `changes` only the paths: what an
approver may grant for less. The operation, the actor, values before, uid, resourceVersion, managed fields, status,
labels, annotations and whether it is a dry run never enter, so that `kubectl scale`, `kubectl patch` and
`kubectl apply` of the same replicas are one and the same change.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from governance.admission.model import Request
from governance.errors import BadInput
from governance.quota.model import Declaration
from governance.units import ResourceList

_VERSION = 1


def footprint_of(declaration: Declaration) -> ResourceList:
    """What a declaration takes once it stands, in ledger units.

    Without the surge of a rolling update, which depends on when one looks: a grant must fit the same change tomorrow.
    """
    return declaration.fixed + declaration.unit * declaration.replicas


def asked_name(request: Request) -> str:
    """The name that was asked for; of a generated one, its prefix and an asterisk."""
    return request.name_prefix + "*" if request.name_prefix else request.name


def canonical(
    request: Request, template: str, footprint_after: ResourceList, project: UUID | str, environment: str
) -> dict[str, Any]:
    """The canonical request, as the module's docstring defines it. It holds no secret and may be stored and shown."""
    return {
        "version": _VERSION,
        "door": request.door,
        "scope": request.scope,
        "kind": request.kind,
        "namespace": request.namespace,
        "name": asked_name(request),
        "changes": dict(request.changes),
        "template": template,
        "footprint": footprint_after.as_dict(),
        "project": str(project),
        "environment": environment,
    }


def digest_of(
    request: Request, template: str, footprint_after: ResourceList, project: UUID | str, environment: str
) -> str:
    """SHA-256 in hex over the canonical request.

    Args:
        request: any door's request; of a Scale only `changes` speaks of the replicas.
        template: hash of the template as it will run: the declaration's, or for a Scale the one that the ledger knows.
        footprint_after: in ledger units; `footprint_of` the declaration after.
        project: the project that pays.
        environment: the project's.

    Raises:
        BadInput: a value in `changes` is no JSON, or a float.
    """
    return _hash(canonical(request, template, footprint_after, project, environment))


def subject_of(request: Request, template: str, project: UUID | str, environment: str) -> str:
    """SHA-256 in hex over the canonical request without the values after and the footprint. Raises BadInput."""
    whole = canonical(request, template, ResourceList(), project, environment)
    del whole["footprint"]
    return _hash({**whole, "changes": sorted(request.changes)})


def canonical_json(value: Any) -> bytes:  # noqa: ANN401  (any JSON value)
    """Canonical JSON of a value, as the module's docstring defines it.

    Raises:
        BadInput: a float, an integer beyond 64 bits, a lone surrogate, a key that is no text, or something that is no
            JSON value.
    """
    _check(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError as error:
        raise BadInput("The value cannot be written as canonical JSON.", field="changes") from error


def _hash(document: Mapping[str, Any]) -> str:
    return sha256(canonical_json(document)).hexdigest()


def _check(value: Any) -> None:  # noqa: ANN401
    if isinstance(value, float):
        raise BadInput("A float has no canonical form.", field="changes", remedy="Give it as text.")
    if isinstance(value, Mapping):
        for name, one in value.items():
            if not isinstance(name, str):
                raise BadInput("A member's name must be text.", field="changes")
            _check(one)
    elif isinstance(value, list | tuple):
        for one in value:
            _check(one)
