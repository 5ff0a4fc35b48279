"""The only place that builds engines, clients and the policy engine, from settings."""

from __future__ import annotations

import governance.admission.tables
import governance.audit.tables
import governance.change.tables
import governance.configuration.tables
import governance.db.tables
import governance.identity.tables
import governance.notify.tables
import governance.quota.tables  # noqa: F401  (every table hangs on the one metadata)
from governance.db.base import metadata as metadata
