from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Service, configure
from tests.parts import cluster as clusters
from tests.parts import opa as opas
from tests.parts import postgres as databases

ROOT = Path(__file__).parents[2]
CLUSTER = "imaging-onprem-1"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example hospital's manifests, in a folder that the story may change."""
    folder = tmp_path_factory.mktemp("manifests") / "hospital"
    shutil.copytree(ROOT / "examples" / "hospital", folder)
    return folder
