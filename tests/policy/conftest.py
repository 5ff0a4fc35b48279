from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from governance import settings
from governance.policy import bundle
from governance.policy.factory import make_policy_engine
from governance.policy.model import PolicyEngine
from tests.parts import opa, wasm


@pytest.fixture(scope="session")
def opa_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An OPA that runs the packaged policies."""
    with opa.start(tmp_path_factory.mktemp("opa"), [bundle.packaged() / "governance"]) as server:
        yield server.url


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged policies as OPA compiles them."""
    return wasm.built(tmp_path_factory.mktemp("wasm"))


@pytest.fixture(
    scope="session",
    params=["embedded", pytest.param("opa", marks=pytest.mark.real), pytest.param("wasm", marks=pytest.mark.real)],
)
def policy_engine(request: pytest.FixtureRequest) -> PolicyEngine:
    """Each engine over the packaged policies."""
    if request.param == "embedded":
        return make_policy_engine(settings.Policy())
    if request.param == "wasm":
        return make_policy_engine(settings.Policy(engine="wasm", bundle=request.getfixturevalue("bundle_path")))
    return make_policy_engine(settings.Policy(engine="opa", opa_url=request.getfixturevalue("opa_url")))
