"""The only place that builds engines, clients and the policy engine, from settings."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

import governance.admission.tables
import governance.audit.tables
import governance.change.tables
import governance.configuration.tables
import governance.db.tables
import governance.identity.tables
import governance.notify.tables
import governance.quota.tables  # noqa: F401  (every table hangs on the one metadata)
from governance.db.base import metadata as metadata
from governance.db.session import make_engine
from governance.policy.factory import make_policy_engine
from governance.policy.model import PolicyEngine
from governance.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running process holds: made once, at start."""

    settings: Settings
    engine: Engine
    policy: PolicyEngine


def build(settings: Settings) -> Parts:
    """Build the parts. Nothing is connected yet; the policies are read and compiled."""
    return Parts(settings=settings, engine=make_engine(settings.database), policy=make_policy_engine(settings.policy))
