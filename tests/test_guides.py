"""What the guides point at is there: files, make targets, commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from governance.cli.main import _MODULES

ROOT = Path(__file__).parents[1]
GUIDES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: str(guide.relative_to(ROOT)))
def test_a_guide_points_at_what_is_there(guide: Path) -> None:
    text = guide.read_text()
    linked = {link for link in re.findall(r"\]\(([^)#]+)", text) if not link.startswith("https://")}
    assert [link for link in sorted(linked) if not (guide.parent / link).exists()] == []
    told = re.findall(r"(?:^|`)make ((?:[a-z-]+ ?)+)", text, re.MULTILINE)
    assert {target for line in told for target in line.split()} - TARGETS == set()
    commands = re.findall(r"(?:^|`|\| |\$ |\$\()governance ([a-z]+)", text, re.MULTILINE)
    assert set(commands) - _MODULES.keys() == set()


def paths() -> list[str]:
    """Paths that the guides name; not those with a NAME to fill in, nor what is built."""
    texts = "".join(guide.read_text() for guide in GUIDES)
    found = re.findall(r"`((?:governance|webhooks|tests|tools|policies|alembic|docs)/[\w/.-]+)`", texts)
    return sorted({path for path in found if "NAME" not in path} - {"governance/web/static/"})


@pytest.mark.parametrize("path", paths())
def test_a_path_in_a_guide_is_there(path: str) -> None:
    assert (ROOT / path).exists()
