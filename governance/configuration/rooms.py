"""What each room adds to the configuration: its kinds, what must hold between manifests, and how they become its rows.

A room above this one (billing) hands its own `Room` in at composition, next to `ROOMS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from governance.configuration import (
    references,
    references_billing,
    references_clouds,
    rows_budget,
    rows_change,
    rows_clouds,
    rows_clusters,
    rows_compliance,
    rows_organisation,
    rows_pricing,
    rows_quota,
    specs,
    specs_billing,
    specs_budget,
    specs_clouds,
    specs_compliance,
    specs_pricing,
)
from governance.configuration.model import Manifests, Problem
from governance.configuration.writing import Writing


@dataclass(frozen=True, slots=True)
class Room:
    """`check` is pure and finds every problem; `write` makes the room's rows as wanted, in the apply's transaction.
    Without it there are none: whoever needs the manifests reads them as a revision has them."""

    kinds: Mapping[str, type[specs.Spec]]
    check: Callable[[Manifests], Iterable[Problem]]
    write: Callable[[Writing], None] | None = None


ROOMS = (  # in the order of writing: what is named comes first
    Room(
        {"Department": specs.Department, "Project": specs.Project, "Person": specs.Person, "Group": specs.Group},
        references.organisation,
        rows_organisation.write,
    ),
    Room(
        {"Cluster": specs.Cluster, "NamespaceBinding": specs.NamespaceBinding},
        references.bindings,
        rows_clusters.write,
    ),
    Room(
        {
            "AwsAccount": specs_clouds.AwsAccount,
            "AzureSubscription": specs_clouds.AzureSubscription,
            "CloudBinding": specs_clouds.CloudBinding,
        },
        references_clouds.clouds,
        rows_clouds.write,
    ),
    Room({"PriceTable": specs_pricing.PriceTable}, rows_pricing.check, rows_pricing.write),
    Room({"AllocationRule": specs_billing.AllocationRule}, references_billing.allocation),
    Room({"Quota": specs.Quota}, references.quotas, rows_quota.write),
    Room(
        {"ApprovalRule": specs.ApprovalRule, "FreezeCalendar": specs.FreezeCalendar},
        references.rules,
        rows_change.write,
    ),
    Room({"Budget": specs_budget.Budget}, rows_budget.check, rows_budget.write),
    Room({"Attestor": specs_compliance.Attestor}, rows_compliance.check, rows_compliance.write),
)


def kinds_of(rooms: Sequence[Room]) -> dict[str, type[specs.Spec]]:
    """Every kind by name."""
    return {name: spec for room in rooms for name, spec in room.kinds.items()}
