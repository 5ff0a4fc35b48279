"""One workload, read from its cluster when the ledger does not know the version in hand."""

from __future__ import annotations

from governance.admission.model import Request
from governance.errors import ClusterUnavailable
from governance.quota.model import Declaration
from webhooks.kubernetes.cluster import Api
from webhooks.kubernetes.footprint import declaration_of, unknown_of
from webhooks.kubernetes.surroundings import Surroundings
from webhooks.kubernetes.watch import PATHS


def live_declaration(
    api: Api, request: Request, around: Surroundings, before: Declaration | None
) -> Declaration | None:
    """What the workload declares as it stands in the cluster; None when it is not there, or has another uid.

    Args:
        before: what the ledger last knew of it. Whether a rolling update is under way follows from it while the
            workload's controller has not seen its newest generation.

    Raises:
        ClusterUnavailable: it could not be read, or what surrounds it was not read yet.
        BadInput: it could not be understood.
    """
    path = PATHS.get(request.kind)
    if path is None:
        return None
    unknown = unknown_of(request.kind, around)
    if unknown:
        raise ClusterUnavailable(unknown, remedy="Try again in a minute.")
    root, _, plural = path.rpartition("/")
    found = api.get(f"{root}/namespaces/{request.namespace}/{plural}/{request.name}")
    if found is None or found["metadata"]["uid"] != request.object_uid:
        return None
    return declaration_of(request.kind, found, around, before=before)
