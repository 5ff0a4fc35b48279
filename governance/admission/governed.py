"""Which requests concern this service at all. Pure. LEDGER.md, "Admission", step 1."""

from __future__ import annotations

from governance.admission.model import Request
from governance.quota.model import Declaration, rises
from governance.units import EMPTY, ResourceList


def governed(request: Request) -> bool:
    """Whether a request needs the ledger and policy. If not it is allowed without either, also while both are gone.

    It does when something rises (a component of what the object declares, the replicas of a scale, what one run of a
    CronJob takes, how far an autoscaler may go) or when what runs, or what is scaled, changes (images, placement,
    security context, priority). Decreases, deletes, labels, annotations and status do not.
    """
    if request.operation not in {"CREATE", "UPDATE"}:
        return False
    if request.scale_to is not None:
        return request.scale_from is None or request.scale_to > request.scale_from
    after, before = request.declaration, request.declaration_before
    if after is None:
        return False
    if before is None or rises(before, after):
        return True
    if after.maximum > before.maximum or after.target != before.target:
        return True
    return after.template != before.template or not one_run(after) <= one_run(before)


def one_run(declaration: Declaration | None) -> ResourceList:
    """What must fit though it is not charged: one run of a CronJob (`footprint`: its surge, never rolling).

    Empty for every other kind. A run is its own root, charged when its Job comes.
    """
    if declaration is None or declaration.kind != "batch/cronjobs":
        return EMPTY
    return declaration.unit * declaration.surge
