from __future__ import annotations

import pytest
from sqlalchemy import Engine

from governance.policy.embedded import Embedded
from governance.policy.factory import make_policy_engine
from governance.settings import Policy
from tests.admission.conftest import Hospital, opened


@pytest.fixture
def hospital(engine: Engine) -> Hospital:
    """The example hospital, whose clusters enforce, with a door into it."""
    policy = make_policy_engine(Policy())
    assert isinstance(policy, Embedded)
    return opened(engine, policy)
