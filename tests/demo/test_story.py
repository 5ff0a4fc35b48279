"""The demo as a person starts it. All runs go on at the same time, since each waits for others most of the time."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from governance.demo.browser import Browser, browser
from governance.policy.bundle import packaged
from tests.parts.process import Process, spawn, wait_until

pytestmark = pytest.mark.long  # four whole demos, each with a service and a shell of its own

_END_S = 240
_HEADROOM = "governance/rules/headroom/headroom.rego"
_CONDITION = "row.used + row.increase > row.limit + allowance(row)"


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that was started. `scratch`: where its temporary files go."""

    process: Process
    scratch: Path

    def ended(self) -> tuple[int, str]:
        """Its exit code, and all that it printed."""
        code = self.process.popen.wait(_END_S)
        return code, self.said()

    def said(self) -> str:
        """What it has printed so far."""
        return self.process.log.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Demo]]:
    """One that clicks by itself, one that waits for a person, and two under policies that were changed."""
    folder = tmp_path_factory.mktemp("demos")
    strict = _policies(folder / "strict", "row.used + row.increase > 0")
    lax = _policies(folder / "lax", "row.used + row.increase > row.limit + 1000000000000000")
    started = {
        "once": _start(folder / "once", ONCE="1"),
        "person": _start(folder / "person"),
        "denies all": _start(folder / "denies-all", ONCE="1", GOVERNANCE_POLICY__DIRECTORY=strict),
        "allows all": _start(folder / "allows-all", ONCE="1", GOVERNANCE_POLICY__DIRECTORY=lax),
    }
    yield started
    for one in started.values():
        one.process.stop()


def _policies(folder: Path, condition: str) -> str:
    shutil.copytree(packaged(), folder)
    rule = folder / _HEADROOM
    before = rule.read_text(encoding="utf-8")
    assert _CONDITION in before
    rule.write_text(before.replace(_CONDITION, condition), encoding="utf-8")
    return str(folder)


def _start(folder: Path, **environment: str) -> Demo:
    scratch = folder / "tmp"
    scratch.mkdir(parents=True)
    own = {"TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1", "ONCE": "", **environment}
    return Demo(spawn("demo", [sys.executable, "-m", "governance", "demo"], folder, environment=own), scratch)


def test_the_whole_story_is_told_without_a_person(demos: dict[str, Demo]) -> None:
    code, said = demos["once"].ended()
    assert code == 0, said
    assert [int(number) for number in re.findall(r"^✓ +(\d+) ", said, re.MULTILINE)] == [*range(1, 16)]
    for line in (
        "Revision 1: 53 to create.",
        "GPUs used: ct-training 2, radiology 2, imaging 2, st-elisabeth 2",
        "requests.nvidia.com/gpu: requested 18, used 2, limit 17 of radiology (rule radiology).",
        "M. Lindqvist approves CH-1",
        "The same scale passes now, by CH-1; radiology uses 20 GPUs.",
        "changes are frozen until",
        "requests.nvidia.com/gpu: requested 18, used 3, limit 17 of radiology",
        "EUR (S-",
        "of a budget of 500.00 EUR",
        "1.18 EUR: i-0a1b2c3d4e5f60718, asked for by arn:aws:sts::111122223333:assumed-role/research/okafor@",
        "allowed by CH-1, approved by M. Lindqvist; configuration revision 1",
    ):
        assert line in said


def test_it_says_that_the_cluster_is_a_recording(demos: dict[str, Demo]) -> None:
    _, said = demos["once"].ended()
    assert "The cluster is a recording" in said
    assert re.search(r"Kubernetes API server \(v1\.\d+\.\d+\) sent on \d\d \w+ 20\d\d", said)


@pytest.mark.parametrize(
    ("policies", "stops"),
    [
        ("denies all", "the Deployment is allowed, and the answer was: "),
        ("allows all", "a denial that says: requests.nvidia.com/gpu: requested 18, used 2, limit 17 of radiology"),
    ],
)
def test_it_fails_at_the_step_that_did_not_do_what_it_says(demos: dict[str, Demo], policies: str, stops: str) -> None:
    code, said = demos[policies].ended()
    assert code == 1, said
    assert f"The demo stopped. Expected: {stops}" in said
    assert "✓ 15" not in said


def test_it_waits_for_a_person_goes_on_after_the_click_and_stays_until_it_is_interrupted(
    demos: dict[str, Demo],
) -> None:
    demo = demos["person"]
    wait_until(lambda: "Your turn" in demo.said(), "the demo waits for a person", _END_S)
    link = _found(r"Open (http://127\.0\.0\.1:\d+/changes/CH-1)$", demo.said())
    assert "✓  6" not in demo.said()
    with browser(link.removesuffix("/changes/CH-1")) as client:
        person = Browser(client)
        person.open(link)
        person.press("M. Lindqvist")
        person.press("Approve")
    wait_until(lambda: "until you press Ctrl-C" in demo.said(), "the story is told", _END_S)
    shell = dict(re.findall(r"export (\w+)=(\S+)", demo.said()))
    bearer = {"Authorization": f"Bearer {shell['GOVERNANCE_TOKEN']}"}
    assert httpx.get(f"{shell['GOVERNANCE_SERVER']}/api/v1/quota/tree", headers=bearer).is_success
    os.kill(demo.process.pid, signal.SIGINT)
    assert demo.ended()[0] == 0
    assert [*demo.scratch.iterdir()] == []


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found is not None, text
    return found[1]
