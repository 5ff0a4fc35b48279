"""The example hospital, whose pathology requires a scan that this file's key attests."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from governance.compliance.tables import Attestor
from governance.db.session import transaction
from tests.admission.conftest import Hospital, hospital, policy
from tests.compliance.signing import PEM

__all__ = ["Hospital", "hospital", "policy"]


@pytest.fixture
def scanned(hospital: Hospital) -> Hospital:
    with transaction(hospital.engine) as session:
        session.execute(update(Attestor).values(public_key=PEM))
    return hospital
