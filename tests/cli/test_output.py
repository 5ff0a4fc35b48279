"""Tables: as wide as the terminal and broken between words only, or, in a pipe, whole."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

ID = "01a216cd-7c9e-77da-a1a6-c9f48eda7714"
WHY = "requests.nvidia.com/gpu: requested 6, used 15, limit 17 of radiology (rule radiology)"
SHOWN = f"""
from governance.cli.output import show_table
show_table(("id", "count", "why"), [({ID!r}, "1", {WHY!r}), ({ID!r}, "20", {WHY!r})], right=frozenset({{1}}))
"""


def on_terminal(width: int) -> list[str]:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(width), "TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-c", SHOWN], stdout=theirs, env=environment) as command:
        os.close(theirs)
        told = b""
        try:
            while part := os.read(ours, 65536):
                told += part
        except OSError:  # how Linux says that the other end is closed
            pass
        finally:
            os.close(ours)
        assert command.wait() == 0
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", told.decode()).splitlines()]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_table_fits_its_terminal_and_breaks_no_word(width: int) -> None:
    lines = on_terminal(width)
    assert max(len(line) for line in lines) <= width
    assert [line.split()[:2] for line in lines if ID in line] == [[ID, "1"], [ID, "20"]]
    assert set(WHY.split()) <= {word for line in lines for word in line.split()}


def test_where_no_row_fits_each_is_a_block() -> None:
    assert on_terminal(60) == [
        *(f"id     {ID}", "count  1", f"why    {WHY}", ""),
        *(f"id     {ID}", "count  20", f"why    {WHY}"),
    ]


def test_in_a_pipe_nothing_is_broken_or_cut() -> None:
    environment = {**os.environ, "COLUMNS": "20"}
    told = subprocess.run([sys.executable, "-c", SHOWN], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.splitlines() == [
        f"ID{' ' * 34}  COUNT  WHY",
        f"{ID}      1  {WHY}",
        f"{ID}     20  {WHY}",
    ]
