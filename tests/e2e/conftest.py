from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.attestor import described
from tests.e2e.recording import recorded
from tests.e2e.world import ROOT, World, built


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The parts that the story plays on."""
    with built(tmp_path_factory.mktemp("world")) as made, recorded(made):
        yield made


@pytest.fixture(scope="package")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example hospital's manifests, in a folder that the story may change."""
    folder = tmp_path_factory.mktemp("manifests") / "hospital"
    shutil.copytree(ROOT / "examples" / "hospital", folder)
    described(folder, folder.parent / "attestor.pem")
    return folder
