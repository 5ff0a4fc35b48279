"""Quotas become limits in the ledger; what exists is then charged along the tree as it is now."""

from __future__ import annotations

from collections.abc import Iterator

from governance.configuration.holding import refuse_while_held
from governance.configuration.specs import Quota, amounts
from governance.configuration.writing import Writing, node_ids
from governance.quota.limits import Limit, settle_tree

_AFFECTS = {
    "Department",
    "Project",
    "Cluster",
    "NamespaceBinding",
    "AwsAccount",
    "AzureSubscription",
    "CloudBinding",
    "Quota",
}


def write(writing: Writing) -> None:
    """Make the limits as wanted, if limits, bindings or the tree change: it locks every usage row for a moment.

    Raises:
        Conflict: something would be deleted that still holds charges or open changes.
    """
    if any(one.kind in _AFFECTS for one in writing.plan.differences):
        refuse_while_held(writing)
        settle_tree(writing.session, _limits(writing), writing.now)


def _limits(writing: Writing) -> Iterator[Limit]:
    nodes = node_ids(writing.session)
    for name, quota in writing.wanted.specs(Quota).items():
        node = nodes[quota.for_.department or str(quota.for_.project)]
        lent, borrowed = amounts(quota.lending_limit), amounts(quota.borrowing_limit)
        for resource, hard in amounts(quota.hard).items():
            yield Limit(node, resource, hard, lent.get(resource), borrowed.get(resource), name)
