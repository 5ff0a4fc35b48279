"""Machine types: the file of this version, and the command that makes it anew from what EC2 tells."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from governance.cli.cloud import app
from governance.errors import BadInput
from tests.parts import aws as moto
from webhooks.cloud.machines import GPU, NEURON, Machine, from_file, read, shipped, write


def test_the_figures_are_those_of_the_provider() -> None:
    types = shipped("aws")
    assert len(types) > 1000
    assert types["g5.xlarge"] == Machine("g5.xlarge", vcpus=4, memory_mib=16384, gpus=1, storage_gb=250)
    assert types["p4d.24xlarge"].footprint()[GPU] == 8
    assert types["inf1.xlarge"].footprint().as_dict() == {
        NEURON: 1,
        "requests.memory": 8 * 2**30,
        "vcpus": 4,
    }


def test_what_is_written_can_be_read() -> None:
    types = {"b": Machine("b", 2, 1024), "a": Machine("a", 1, 512, 1, 2, 3)}
    text = write(types, ["where from"])
    assert text == "# where from\ntype,vcpus,memory_mib,gpus,neurons,storage_gb\na,1,512,1,2,3\nb,2,1024,0,0,0\n"
    assert read(text.splitlines(), "x.csv") == types


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "x.csv has other columns"),
        ("type,cpu\n", "x.csv has other columns"),
        ("#\ntype,vcpus,memory_mib,gpus,neurons,storage_gb\na,1,2,3,4,5\nb,1,-2,3,4,5\n", "x.csv:4 "),
        ("type,vcpus,memory_mib,gpus,neurons,storage_gb\na,1\n", "x.csv:2 "),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_line(text: str, where: str) -> None:
    with pytest.raises(BadInput, match=re.escape(where)):
        read(text.splitlines(), "x.csv")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.csv cannot be read"):
        from_file(tmp_path / "nowhere.csv")


def test_the_command_asks_the_provider(tmp_path: Path) -> None:
    with moto.start("eu-north-1"):
        made = CliRunner().invoke(app, ["machine-types", "aws", "--to", str(tmp_path / "types.csv")])
        assert made.exit_code == 0, made.output
    found = from_file(tmp_path / "types.csv")
    assert found["g5.xlarge"] == shipped("aws")["g5.xlarge"]
    assert "eu-north-1" in (tmp_path / "types.csv").read_text().splitlines()[0]
