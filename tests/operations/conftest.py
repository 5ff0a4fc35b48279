from __future__ import annotations

import pytest

from governance import clock
from governance.db.session import reading
from governance.identity.model import Principal
from governance.identity.people import person_by_name, principal_of
from tests.admission.conftest import Hospital, hospital, policy

__all__ = ["hospital", "policy"]


@pytest.fixture
def sato(hospital: Hospital) -> Principal:
    """The administrator."""
    with reading(hospital.engine) as session:
        return principal_of(session, person_by_name(session, "sato"), clock.now())
