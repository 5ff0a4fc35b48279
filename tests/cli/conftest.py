"""The command line against a served API, each with its own home folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from governance.cli.main import main
from tests.api.conftest import Api, serve_example


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands in this process, as they would run in a new one."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    home: Path

    def run(self, *words: str, **environment: str) -> Ended:
        """Run `governance` with these words; environment by name without the prefix."""
        for name in [one for one in os.environ if one.startswith("GOVERNANCE_")]:
            self.patch.delenv(name)
        for name, value in environment.items():
            self.patch.setenv(f"GOVERNANCE_{name}", value)
        self.patch.setenv("XDG_CONFIG_HOME", str(self.home))
        self.patch.setattr(sys, "argv", ["governance", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = self.capture.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    return Shell(monkeypatch, capsys, tmp_path / "home")


@pytest.fixture
def api(sqlite: Engine) -> Iterator[Api]:
    """The API of the example hospital."""
    yield from serve_example(sqlite)
