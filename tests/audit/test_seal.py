"""Sealing, shipping and exporting; on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, delete, update
from sqlmodel import col, select

from governance.audit import chain
from governance.audit.export import export
from governance.audit.keys import ensure_key, load_key, load_public_keys, public_pem
from governance.audit.log import record
from governance.audit.seal import read_shipped, seal, seal_and_ship, ship, shipped_path
from governance.audit.tables import AuditEvent, AuditSegment
from governance.audit.verify import Report, verify
from governance.db.session import reading, transaction
from governance.errors import BadInput, Conflict

NOW = datetime(2026, 11, 23, 10, 44, tzinfo=UTC)


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def write(engine: Engine, count: int, actor: str = "okafor") -> None:
    with transaction(engine) as session:
        for n in range(count):
            after = {"n": n, "text": "Ärzte \x00 “”", "nested": {"b": [1, None, True], "a": 2**62}}
            record(session, actor, "change.submit", "change", f"CH-{n}", "why", after=after)


def check(engine: Engine, path: Path, key: Ed25519PrivateKey, shipped: Path | None = None) -> Report:
    with reading(engine) as session:
        export(session, path)
    public = key.public_key()
    return verify(path, {chain.key_id(public): public}, read_shipped(shipped) if shipped else ())


def test_what_was_recorded_is_sealed_exported_and_verified(
    engine: Engine, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    assert seal(engine, key, NOW) is None
    for n, count in enumerate((3, 1, 120)):
        write(engine, count)
        segment = seal(engine, key, NOW + timedelta(seconds=n))
        assert segment is not None
        assert (segment.number, segment.size) == (n + 1, count)
    assert seal(engine, key, NOW) is None
    write(engine, 2)
    report = check(engine, tmp_path / "export.jsonl", key)
    assert (report.events, report.segments, report.findings) == (124, 3, ())


def test_an_event_that_is_changed_in_the_database_is_found(
    engine: Engine, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    write(engine, 5)
    seal(engine, key, NOW)
    with transaction(engine) as session:
        session.exec(update(AuditEvent).where(col(AuditEvent.subject_id) == "CH-3").values(actor="somebody else"))
    findings = check(engine, tmp_path / "export.jsonl", key).findings
    assert [finding.what for finding in findings] == ["the events of segment 1 are not those that were sealed"]


def test_events_that_are_deleted_or_slipped_in_are_found(
    engine: Engine, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    write(engine, 5)
    seal(engine, key, NOW)
    with transaction(engine) as session:
        session.exec(delete(AuditEvent).where(col(AuditEvent.subject_id) == "CH-4"))
    assert "should hold 5 events and holds 4" in check(engine, tmp_path / "a.jsonl", key).findings[0].what
    with transaction(engine) as session:
        slipped = record(session, "okafor", "change.submit", "change", "CH-4")
        slipped.segment, slipped.position = 1, 4
    assert len(check(engine, tmp_path / "b.jsonl", key).findings) == 1


def test_a_segment_that_is_deleted_at_the_end_is_found_by_the_heads_that_were_shipped(
    engine: Engine, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    for n in range(3):
        write(engine, 2)
        seal_and_ship(engine, key, tmp_path / "heads", NOW + timedelta(days=n))
    assert check(engine, tmp_path / "a.jsonl", key, tmp_path / "heads").findings == ()
    with transaction(engine) as session:
        session.exec(delete(AuditEvent).where(col(AuditEvent.segment) == 3))
        session.exec(delete(AuditSegment).where(col(AuditSegment.number) == 3))
    assert check(engine, tmp_path / "b.jsonl", key).findings == ()
    (found,) = check(engine, tmp_path / "b.jsonl", key, tmp_path / "heads").findings
    assert found.what == "segment 3 was sealed and is missing: the log was cut"


def test_a_head_that_could_not_be_shipped_is_shipped_with_the_next(
    engine: Engine, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    write(engine, 1)
    (tmp_path / "heads").write_text("in the way")
    with pytest.raises(OSError, match="heads"):
        seal_and_ship(engine, key, tmp_path / "heads", NOW)
    (tmp_path / "heads").unlink()
    write(engine, 1)
    seal_and_ship(engine, key, tmp_path / "heads", NOW)
    assert [head.number for head in read_shipped(tmp_path / "heads")] == [1, 2]
    assert ship(engine, tmp_path / "heads", NOW) == 0


def test_shipping_again_after_a_crash_writes_the_same_and_another_history_is_refused(
    engine: Engine, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    write(engine, 1)
    seal_and_ship(engine, key, tmp_path, NOW)
    with transaction(engine) as session:
        session.exec(update(AuditSegment).values(shipped_at=None))
    assert ship(engine, tmp_path, NOW) == 1
    (head,) = read_shipped(tmp_path)
    shipped_path(tmp_path, head).write_text("{}\n")
    with transaction(engine) as session:
        session.exec(update(AuditSegment).values(shipped_at=None))
    with pytest.raises(Conflict, match="Another head 1"):
        ship(engine, tmp_path, NOW)
    with pytest.raises(ValueError, match="holds no head"):
        read_shipped(tmp_path)
    assert [path.name for path in tmp_path.glob("*/*")] == ["0000000001.json"]


def test_a_folder_without_heads_is_not_compared_with_in_silence(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "mistyped"):
        with pytest.raises(ValueError, match="holds no heads"):
            read_shipped(folder)


def test_several_sealers_and_writers_at_once_lose_and_double_nothing(
    engine: Engine, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    writing = threading.Event()
    failures: list[BaseException] = []

    def run(work: object) -> None:
        try:
            work()  # type: ignore[operator]  # a callable
        except BaseException as error:  # noqa: BLE001  (told by the test)
            failures.append(error)

    def writer(name: str) -> None:
        for _ in range(8):
            write(engine, 3, name)

    def sealer() -> None:
        while not writing.is_set():
            seal(engine, key, NOW)
        while seal(engine, key, NOW) is not None:
            pass

    writers = [threading.Thread(target=run, args=(lambda n=n: writer(f"w{n}"),)) for n in range(3)]
    sealers = [threading.Thread(target=run, args=(sealer,)) for _ in range(3)]
    for thread in (*writers, *sealers):
        thread.start()
    for thread in writers:
        thread.join(120)
    writing.set()
    for thread in sealers:
        thread.join(120)
    seal(engine, key, NOW)
    assert failures == []
    report = check(engine, tmp_path / "export.jsonl", key)
    assert (report.events, report.findings) == (72, ())
    with reading(engine) as session:
        assert session.exec(select(AuditEvent).where(col(AuditEvent.segment).is_(None))).all() == []


def test_a_key_is_made_once_kept_from_others_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.pem"
    made: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: made.append(ensure_key(path).public_key().public_bytes_raw())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 8
    assert set(made) == {load_key(path).public_key().public_bytes_raw()}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["audit.pem"]
    public = tmp_path / "audit.pub"
    public.write_text(public_pem(load_key(path)))
    assert list(load_public_keys([public])) == [chain.key_id(load_key(path).public_key())]


def test_what_is_no_key_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "audit.pem"
    with pytest.raises(BadInput, match=r"audit\.pem"):
        load_key(path)
    path.write_text("nonsense")
    with pytest.raises(BadInput, match=r"audit\.pem"):
        load_key(path)
    with pytest.raises(BadInput, match=r"audit\.pem"):
        load_public_keys([path])
