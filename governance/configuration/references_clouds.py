"""What must hold between the manifests of clouds: what is named exists, and no part of a scope has two payers."""

from __future__ import annotations

from collections.abc import Iterator

from governance.configuration.model import Manifests, Problem
from governance.configuration.references import known
from governance.configuration.specs import Cluster, Project
from governance.configuration.specs_clouds import AwsAccount, AzureSubscription, CloudBinding


def clouds(manifests: Manifests) -> Iterator[Problem]:
    """Every account and subscription is described once; every binding names one, and a project, and a part of its
    own."""
    accounts, subscriptions = manifests.specs(AwsAccount), manifests.specs(AzureSubscription)
    scopes = {name: f"the cluster {name}" for name in manifests.specs(Cluster)}
    for kind, path, asked in (
        (AwsAccount, "account", {name: one.account for name, one in accounts.items()}),
        (AzureSubscription, "subscription", {name: one.subscription for name, one in subscriptions.items()}),
    ):
        for name, (manifest, _) in manifests.of(kind).items():
            first = scopes.setdefault(asked[name], name)
            if first != name:
                yield manifest.problem((path,), f"{asked[name]} is {first} already.", "Describe it once.")
    parts: dict[tuple[str, str], str] = {}
    for name, (manifest, binding) in manifests.of(CloudBinding).items():
        yield from known(manifest, ("account",), binding.account, accounts, "account")
        yield from known(manifest, ("subscription",), binding.subscription, subscriptions, "subscription")
        yield from known(manifest, ("project",), binding.project, manifests.specs(Project), "project")
        part = (str(binding.account or binding.subscription), str(sorted(binding.part().items())))
        first = parts.setdefault(part, name)
        if first != name:
            yield manifest.problem((), f"{first} binds the same already.", "A part of an account has one binding.")
