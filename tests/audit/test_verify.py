"""Every mutation of an export is found. The export is made once, by the real log, on SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from governance.audit import chain
from governance.audit.export import export
from governance.audit.log import record
from governance.audit.seal import head_of, seal
from governance.audit.verify import Report, verify
from governance.bootstrap import metadata
from governance.db.session import make_engine, reading, transaction
from governance.settings import Database

NOW = datetime(2026, 11, 23, 10, 44, tzinfo=UTC)
SLOW_IS_FINE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@dataclass(frozen=True)
class Log:
    """An export of three segments, with its heads and its key."""

    content: bytes
    heads: tuple[chain.SignedHead, ...]
    key: Ed25519PrivateKey
    scratch: Path

    @property
    def lines(self) -> list[bytes]:
        return self.content.splitlines(keepends=True)

    def check(self, content: bytes, *, kept: bool = True, key: Ed25519PrivateKey | None = None) -> Report:
        self.scratch.write_bytes(content)
        public = (key or self.key).public_key()
        return verify(self.scratch, {chain.key_id(public): public}, self.heads if kept else ())


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    folder = tmp_path_factory.mktemp("audit")
    engine = make_engine(Database(url=f"sqlite:///{folder}/audit.db"))
    metadata.create_all(engine)
    key, heads = Ed25519PrivateKey.generate(), []
    for segment, size in enumerate((3, 1, 2), start=1):
        with transaction(engine) as session:
            for n in range(size):
                at = NOW + timedelta(seconds=segment, microseconds=n)
                change = f"CH-{segment}{n}"
                record(
                    session,
                    "lindqvist",
                    "change.approve",
                    "change",
                    change,
                    "Grüße",
                    after={"gpu": 6, "ok": True},
                    at=at,
                )
        sealed = seal(engine, key, NOW + timedelta(seconds=segment + 1))
        assert sealed is not None
        heads.append(head_of(sealed))
    with reading(engine) as session:
        exported = export(session, folder / "export.jsonl")
    assert (exported.events, exported.segments, exported.last_head) == (6, 3, heads[-1].head)
    yield Log((folder / "export.jsonl").read_bytes(), tuple(heads), key, folder / "mutated.jsonl")
    engine.dispose()


def test_an_untouched_export_has_no_finding(log: Log) -> None:
    report = log.check(log.content)
    assert report.findings == ()
    assert (report.events, report.segments, report.last_head, report.compared) == (6, 3, log.heads[-1].head, 3)


@pytest.mark.long  # some seven thousand exports, verified one by one
def test_every_byte_that_is_changed_is_found(log: Log) -> None:
    for place in range(len(log.content)):
        for flip in (0x01, 0x20):  # 0x20 turns a letter into the other case
            mutated = bytearray(log.content)
            mutated[place] ^= flip
            assert log.check(bytes(mutated), kept=False).findings, (place, flip)


@SLOW_IS_FINE
@given(place=st.integers(0, 10_000), what=st.binary(min_size=1, max_size=3))
def test_bytes_that_are_put_in_are_found(log: Log, place: int, what: bytes) -> None:
    place %= len(log.content) + 1
    mutated = log.content[:place] + what + log.content[place:]
    assume(mutated != log.content)
    assert log.check(mutated, kept=False).findings


@SLOW_IS_FINE
@given(place=st.integers(0, 10_000), length=st.integers(1, 400))
def test_bytes_that_are_taken_out_are_found(log: Log, place: int, length: int) -> None:
    place %= len(log.content)
    assert log.check(log.content[:place] + log.content[place + length :]).findings


def test_every_line_that_is_taken_out_is_found(log: Log) -> None:
    for place in range(len(log.lines)):
        assert log.check(b"".join(log.lines[:place] + log.lines[place + 1 :])).findings, place


def test_every_line_that_is_doubled_is_found(log: Log) -> None:
    for place, line in enumerate(log.lines):
        assert log.check(b"".join([*log.lines[:place], line, *log.lines[place:]])).findings, place


def test_any_two_lines_that_change_places_are_found(log: Log) -> None:
    for one in range(len(log.lines)):
        for other in range(one):
            lines = log.lines
            lines[one], lines[other] = lines[other], lines[one]
            assert log.check(b"".join(lines)).findings, (one, other)


def test_every_field_that_is_changed_taken_out_or_put_in_is_found(log: Log) -> None:
    for place, line in enumerate(log.lines):
        value = json.loads(line)
        inner = next(iter(value.values())) if place else value
        for name in list(inner):
            for change in (None, "", 1, "other", {"x": 1}):
                mutated = json.loads(line)
                target = next(iter(mutated.values())) if place else mutated
                if target[name] == change:
                    continue
                target[name] = change
                assert _with_line(log, place, mutated).findings, (place, name, change)
            mutated = json.loads(line)
            del (next(iter(mutated.values())) if place else mutated)[name]
            assert _with_line(log, place, mutated).findings, (place, name)
        mutated = json.loads(line)
        (next(iter(mutated.values())) if place else mutated)["more"] = 1
        assert _with_line(log, place, mutated).findings, place


def _with_line(log: Log, place: int, value: dict[str, object]) -> Report:
    lines = log.lines
    lines[place] = chain.canonical(value) + b"\n"
    return log.check(b"".join(lines), kept=False)


def test_a_tail_that_is_cut_off_at_a_head_is_found_by_the_heads_kept_elsewhere_alone(log: Log) -> None:
    ends = [n for n, line in enumerate(log.lines, start=1) if line.startswith(b'{"head":')][:-1]
    assert len(ends) == 2
    for end in ends:
        cut = b"".join(log.lines[:end])
        assert log.check(cut, kept=False).findings == ()
        assert any("the log was cut" in finding.what for finding in log.check(cut).findings)


def test_a_log_that_was_written_anew_with_the_same_key_is_found_by_the_heads_kept_elsewhere(log: Log) -> None:
    event = json.loads(log.lines[1])["event"] | {"reason": "never said"}
    head = chain.seal(1, [chain.leaf(event)], chain.GENESIS, NOW, log.key)
    lines = [
        log.lines[0],
        chain.canonical({"event": event}) + b"\n",
        chain.canonical({"head": chain.head_as_dict(head)}) + b"\n",
    ]
    assert log.check(b"".join(lines), kept=False).findings == ()
    found = [finding.what for finding in log.check(b"".join(lines)).findings]
    assert "segment 1 is not the one whose head was kept elsewhere" in found


def test_a_segment_of_another_history_with_the_same_number_and_key_is_found(log: Log) -> None:
    event = json.loads(log.lines[5])["event"] | {"reason": "never said"}
    head = chain.seal(2, [chain.leaf(event)], "f" * 64, NOW, log.key)
    lines = [
        *log.lines[:5],
        chain.canonical({"event": event}) + b"\n",
        chain.canonical({"head": chain.head_as_dict(head)}) + b"\n",
    ]
    found = [finding.what for finding in log.check(b"".join(lines), kept=False).findings]
    assert found == ["segment 2 does not follow the head before it"]


def test_events_after_the_last_head_are_found(log: Log) -> None:
    (found,) = log.check(log.content + log.lines[1], kept=False).findings
    assert found.what == "1 events at the end stand in no segment"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'"reason":', b'"reason": '),
        ("ü".encode(), b"\\u00fc"),
        (b'"gpu":6', b'"gpu":6,"gpu":6'),
        (b'"actor":"lindqvist"', b'"actor":"okafor","actor":"lindqvist"'),
    ],
)
def test_the_same_values_in_other_bytes_are_found(log: Log, was: bytes, becomes: bytes) -> None:
    mutated = log.content.replace(was, becomes, 1)
    assert mutated != log.content
    (found,) = log.check(mutated, kept=False).findings[:1]
    assert found.what == "the line is not in canonical form"


def test_a_log_that_was_sealed_with_another_key_is_found(log: Log) -> None:
    report = log.check(log.content, key=Ed25519PrivateKey.generate())
    assert any("not among the keys given" in finding.what for finding in report.findings)


def test_a_kept_head_that_nobody_signed_is_a_finding(log: Log) -> None:
    forged = chain.head_from(chain.head_as_dict(log.heads[0]) | {"signature": "0" * 128})
    log.scratch.write_bytes(log.content)
    public = log.key.public_key()
    report = verify(log.scratch, {chain.key_id(public): public}, [forged])
    assert any("is not signed" in finding.what for finding in report.findings)


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"[" * 100_000 + b"\n", b"\xff\xfe\n", b"x" * 3_000_000])
def test_what_is_no_export_is_said_so_and_nothing_breaks(log: Log, content: bytes) -> None:
    assert log.check(content).findings
    assert log.check(log.lines[0] + content).findings


def test_a_log_that_is_wrong_throughout_gives_a_bounded_number_of_findings(log: Log) -> None:
    assert len(log.check(log.lines[0] + b"x\n" * 10_000, kept=False).findings) <= 101
