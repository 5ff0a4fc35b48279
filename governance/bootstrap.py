"""The only place that builds engines, clients and the policy engine, from settings."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sqlalchemy import Engine

import billing.tables  # noqa: F401  (every table hangs on the one metadata)
import governance.admission.tables
import governance.audit.tables
import governance.budget.tables
import governance.change.tables
import governance.compliance.tables
import governance.configuration.tables
import governance.db.tables
import governance.identity.tables
import governance.jobs.tables
import governance.notify.tables
import governance.pricing.tables
import governance.quota.tables  # noqa: F401
import webhooks.cloud.tables  # noqa: F401
from governance import clock
from governance.admission.judge import Admission
from governance.admission.model import Request
from governance.clock import Clock
from governance.db.base import metadata as metadata
from governance.db.session import make_engine
from governance.errors import BadInput, ClusterUnavailable
from governance.notify.email import email_channel
from governance.notify.outbox import Channel
from governance.notify.webhook import webhook_channel
from governance.policy.factory import make_policy_engine
from governance.policy.model import PolicyEngine
from governance.quota.model import Declaration
from governance.settings import Settings
from webhooks.cloud.handle import Handling
from webhooks.cloud.machines import from_file, shipped
from webhooks.kubernetes.around import Around
from webhooks.kubernetes.cluster import Api, connect
from webhooks.kubernetes.live import live_declaration
from webhooks.kubernetes.routes import Door
from webhooks.kubernetes.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Watched:
    """A cluster that can be read: its API, and what surrounds its objects."""

    api: Api
    around: Around


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running process holds: made once, at start."""

    settings: Settings
    engine: Engine
    policy: PolicyEngine
    clusters: dict[str, Watched] = field(default_factory=dict)

    def door(self) -> Door:
        """The Kubernetes door."""
        return Door(self.admission(), self.surroundings, self.settings.webhook.body_bytes_max)

    def admission(self) -> Admission:
        """What admissions need, by whatever door."""
        return Admission(self.engine, self.policy, self.settings.web.public_url, self.read_live)

    def surroundings(self, cluster: str) -> Surroundings:
        """What surrounds the objects of a cluster. One that cannot be read has no limit ranges and the like, as far as
        anybody knows; how many nodes it has is not guessed."""
        watched = self.clusters.get(cluster)
        return watched.around.current() if watched else Surroundings(now=clock.now(), missing=("nodes",))

    def read_live(self, request: Request, before: Declaration | None) -> Declaration | None:
        """The workload of a request as it stands in its cluster. Raises ClusterUnavailable."""
        watched = self.clusters.get(request.scope)
        if watched is None:
            raise ClusterUnavailable(f"no credentials for cluster {request.scope} are configured")
        return live_declaration(watched.api, request, watched.around.current(), before)


def build(settings: Settings) -> Parts:
    """Build the parts. Nothing is connected yet; the policies are read and compiled."""
    return Parts(
        settings=settings,
        engine=make_engine(settings.database),
        policy=make_policy_engine(settings.policy),
        clusters={name: Watched(connect_to(name, path), Around(clock.now)) for name, path in settings.clusters.items()},
    )


def connect_to(name: str, kubeconfig: str) -> Api:
    """A connection to a cluster. Raises BadInput that names the setting."""
    try:
        return connect(None if kubeconfig == "in-cluster" else kubeconfig)
    except ClusterUnavailable as error:
        raise BadInput(
            error.detail, field=f"clusters.{name}", remedy="Name a kubeconfig file, or in-cluster."
        ) from None


def keep_surroundings(parts: Parts, stop: threading.Event) -> None:
    """Follow what surrounds the objects of every cluster that can be read."""
    for watched in parts.clusters.values():
        watched.around.keep(watched.api, stop)


def handling_of(parts: Parts, now: Clock) -> Handling:
    """What the handling of cloud events needs. Raises BadInput for a file of machine types that cannot be read."""
    own = parts.settings.cloud.aws_machines
    return Handling(parts.admission(), {"aws": from_file(own) if own else shipped("aws")}, now)


def channels_of(settings: Settings) -> dict[str, Channel]:
    """How messages leave: by the channels that the settings configure. Raises BadInput for one that cannot work."""
    channels: dict[str, Channel] = {}
    if settings.mail.host:
        channels["email"] = email_channel(settings.mail, settings.web.public_url)
    if settings.outbound.url:
        channels["webhook"] = webhook_channel(settings.outbound)
    return channels
