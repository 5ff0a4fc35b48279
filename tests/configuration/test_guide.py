"""The guide of manifests says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from governance.configuration.parse import parse
from governance.configuration.rooms import ROOMS, kinds_of
from governance.configuration.specs import Shape
from tests.configuration.manifests import text

GUIDE = (Path(__file__).parents[2] / "docs" / "manifests.md").read_text()


def test_every_example_in_the_guide_can_be_read() -> None:
    found = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    assert len(found) == 2
    for one in found:
        manifests, problems = parse([text(one)], kinds_of(ROOMS))
        assert (len(manifests), problems) == (1, [])


@pytest.mark.parametrize("kind", list(kinds_of(ROOMS)))
def test_the_guide_names_every_field_of_a_kind(kind: str) -> None:
    section = GUIDE.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    for field in fields_of(kinds_of(ROOMS)[kind]):
        assert re.search(rf"\b{field}\b", section), field


def fields_of(shape: type[Shape]) -> list[str]:
    return [field.alias or name for name, field in shape.model_fields.items()]


def test_the_example_hospital_is_plain_yaml_too() -> None:
    folder = Path(__file__).parents[2] / "examples" / "hospital"
    kinds = {one["kind"] for path in folder.glob("*.yaml") for one in yaml.safe_load_all(path.read_text())}
    assert kinds == set(kinds_of(ROOMS))
