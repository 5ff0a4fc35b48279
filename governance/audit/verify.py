"""Verifying an export, offline: with the file, the public key, and heads that were kept elsewhere.

Any change, insertion, reordering or deletion of an event breaks its segment's tree, its head or the chain of heads.
Cutting off whole segments at the end leaves a valid shorter log: that is found by the heads kept elsewhere alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from governance.audit import chain
from governance.audit.chain import EVENT_FIELDS, SignedHead
from governance.audit.export import HEADER

FINDINGS_MAX = 100
_LINE_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `line` is 0 where it is about no line."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was read, and what is wrong with it. `compared`: heads kept elsewhere that it was compared with."""

    events: int
    segments: int
    last_head: str
    compared: int
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _State:
    """How far the reading came."""

    keys: Mapping[str, Ed25519PublicKey]
    number: int = 0
    previous: str = chain.GENESIS
    events: int = 0
    leaves: list[bytes] = field(default_factory=list)
    heads: dict[int, str] = field(default_factory=dict)


def verify(path: Path, keys: Mapping[str, Ed25519PublicKey], kept: Sequence[SignedHead]) -> Report:
    """Read an export and say what is wrong with it.

    Args:
        path: of the export.
        keys: public keys by key id (`keys.load_public_keys`); several after a change of key.
        kept: heads that were shipped off the host. Without any, a cut tail cannot be found.
    """
    state = _State(keys)
    findings: list[Finding] = []
    for finding in _read(path, state):
        findings.append(finding)
        if len(findings) >= FINDINGS_MAX:
            break
    findings += [Finding(0, what) for what in _compare(state, kept)]
    return Report(state.events, len(state.heads), state.previous if state.heads else "", len(kept), tuple(findings))


def _read(path: Path, state: _State) -> Iterator[Finding]:
    number = 0
    with path.open("rb") as file:
        for number, raw in enumerate(iter(lambda: file.readline(_LINE_BYTES_MAX), b""), start=1):
            problems = [] if number == 1 else _line(raw, state)
            if number == 1 and raw != HEADER + b"\n":
                problems = ["this is not an export of version 1"]
            yield from (Finding(number, what) for what in problems)
    if number == 0:
        yield Finding(0, "the file is empty")
    if state.leaves:
        yield Finding(number, f"{len(state.leaves)} events at the end stand in no segment")


def _line(raw: bytes, state: _State) -> list[str]:
    if not raw.endswith(b"\n"):
        return ["the line does not end, or is too long"]
    try:
        value = json.loads(raw)
        if not isinstance(value, dict) or chain.canonical(value) + b"\n" != raw:
            return ["the line is not in canonical form"]
    except (ValueError, RecursionError):
        return ["the line is not JSON"]
    if set(value) == {"event"} and isinstance(value["event"], dict):
        return _event(value["event"], state)
    if set(value) == {"head"} and isinstance(value["head"], dict):
        return list(_head(value["head"], state))
    return ["the line is neither an event nor a head"]


def _event(event: dict[str, Any], state: _State) -> list[str]:
    state.events += 1
    state.leaves.append(chain.leaf(event))
    return [] if set(event) == set(EVENT_FIELDS) else ["the event has other fields"]


def _head(value: dict[str, Any], state: _State) -> Iterator[str]:
    leaves, state.leaves = state.leaves, []
    try:
        head = chain.head_from(value)
    except ValueError as error:
        yield str(error)
        return
    if head.number != state.number + 1:
        yield f"segment {head.number} follows segment {state.number}"
    if head.previous != state.previous:
        yield f"segment {head.number} does not follow the head before it"
    if head.size != len(leaves):
        yield f"segment {head.number} should hold {head.size} events and holds {len(leaves)}"
    if not leaves or chain.root(leaves) != head.root:
        yield f"the events of segment {head.number} are not those that were sealed"
    if head.key_id not in state.keys:
        yield f"segment {head.number} is signed with the key {head.key_id}, which is not among the keys given"
    elif not chain.is_signed(head, state.keys):
        yield f"the head of segment {head.number} is not the one that was signed"
    state.number, state.previous = head.number, head.head
    state.heads[head.number] = head.head


def _compare(state: _State, kept: Iterable[SignedHead]) -> Iterator[str]:
    for head in kept:
        if not chain.is_signed(head, state.keys):
            yield f"the head of segment {head.number} that was kept elsewhere is not signed with the keys given"
        elif head.number not in state.heads:
            yield f"segment {head.number} was sealed and is missing: the log was cut"
        elif state.heads[head.number] != head.head:
            yield f"segment {head.number} is not the one whose head was kept elsewhere"
