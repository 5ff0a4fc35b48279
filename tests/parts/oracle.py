"""Kubernetes' own quota arithmetic: what an object is charged, by the upstream evaluators."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from tools import parts


@dataclass(frozen=True, slots=True)
class Oracle:
    """A program that answers line by line."""

    ask: IO[str]
    answer: IO[str]

    def usage(self, thing: Mapping[str, Any]) -> dict[str, str]:
        """What a Pod, PersistentVolumeClaim, Service or ResourceClaim (with apiVersion) takes: resource -> quantity."""
        self.ask.write(json.dumps(thing) + "\n")
        self.ask.flush()
        usage: dict[str, str] = json.loads(self.answer.readline())
        if "error" in usage:
            raise ValueError(usage["error"])
        return usage


@contextmanager
def start() -> Iterator[Oracle]:
    """Run the oracle; it answers in well under a millisecond."""
    command = [parts.cluster_program("quota-oracle")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as popen:
        assert popen.stdin is not None
        assert popen.stdout is not None
        yield Oracle(popen.stdin, popen.stdout)
