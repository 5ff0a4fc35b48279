from __future__ import annotations

import gzip
import io
import json
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from governance.errors import BadInput, PolicyUnavailable
from governance.policy import bundle, question
from governance.policy.build import build
from governance.policy.wasm import Wasm
from tests.policy.cases import ALL, CASES
from tests.policy.documents import Document, sample

_HOST = """
  (import "env" "memory" (memory 2))
  (import "env" "opa_abort" (func $abort (param i32)))
  (func (export "opa_malloc") (param i32) (result i32) i32.const 1024)
  (func (export "opa_json_parse") (param i32 i32) (result i32) i32.const 0)
  (func (export "opa_heap_ptr_get") (result i32) i32.const 2048)
"""
_NOTHING = json.dumps([{"result": {"violations": [], "warnings": [], "approvals": [], "checks": []}}])
_ONCE = """(if (i32.eqz (i32.load (i32.const 512))) (then (i32.store (i32.const 512) (i32.const 1)) unreachable))
  i32.const 64"""
_EVAL = '(func (export "opa_eval") (param i32 i32 i32 i32 i32 i32 i32) (result i32) {})'


def module(evaluation: str, more: str = "") -> bytes:
    """A module that looks as OPA's do, and evaluates as a test says."""
    return bytes(wasmtime.wat2wasm(f"(module {_HOST} {_EVAL.format(evaluation)} {more})"))


def packed(path: Path, content: bytes, **manifest: Any) -> Path:  # noqa: ANN401  (JSON)
    """A bundle of the packaged policies with that module."""
    entries = [{"entrypoint": "governance/admission", "module": "/policy.wasm"}]
    said = {"revision": bundle.load().digest, "wasm": entries, **manifest}
    with tarfile.open(path, "w:gz") as opened:
        for name, held in (("/.manifest", json.dumps(said).encode()), ("/policy.wasm", content)):
            member = tarfile.TarInfo(name)
            member.size = len(held)
            opened.addfile(member, io.BytesIO(held))
    return path


def engine(path: Path | None, timeout_ms: int = 1000) -> Wasm:
    return Wasm(bundle.load(), path, timeout_ms)


class TestABundleThatIsNotTaken:
    def refused(self, path: Path | None) -> str:
        with pytest.raises(BadInput) as told:
            engine(path)
        assert told.value.field == "policy.bundle"
        assert told.value.remedy == "Build it anew with `governance policy build`."
        return told.value.detail

    def test_none(self) -> None:
        assert self.refused(None) == "No bundle is named, and policy.engine is wasm."

    @pytest.mark.parametrize(
        "content", [None, b"", b"no archive", gzip.compress(b"no archive")], ids=["absent", "empty", "text", "gzip"]
    )
    def test_one_that_is_no_archive(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "policies.tar.gz"
        if content is not None:
            path.write_bytes(content)
        assert "cannot be read as a bundle" in self.refused(path)

    def test_one_that_is_cut(self, tmp_path: Path) -> None:
        path = packed(tmp_path / "policies.tar.gz", bytes(range(256)) * 100)
        path.write_bytes(path.read_bytes()[:200])
        assert "cannot be read as a bundle" in self.refused(path)

    @pytest.mark.parametrize("manifest", [{"wasm": None}, {"wasm": ["x"]}, {"wasm": [{}]}])
    def test_one_whose_manifest_is_odd(self, tmp_path: Path, manifest: Document) -> None:
        assert "cannot be read" in self.refused(packed(tmp_path / "policies.tar.gz", module("i32.const 0"), **manifest))

    def test_one_of_other_policies(self, tmp_path: Path) -> None:
        path = packed(tmp_path / "policies.tar.gz", module("i32.const 0"), revision="0" * 64)
        assert f"'000000000000', and this service holds {bundle.load().digest[:12]}" in self.refused(path)

    def test_one_with_another_entrypoint(self, tmp_path: Path) -> None:
        path = packed(tmp_path / "policies.tar.gz", module("i32.const 0"), wasm=[{"entrypoint": "other"}])
        assert "has the entrypoints ['other']" in self.refused(path)

    @pytest.mark.parametrize(
        "wasm", [b"", b"\0asm", bytes(wasmtime.wat2wasm("(module)"))], ids=["empty", "cut", "exports nothing"]
    )
    def test_one_whose_module_does_not_run(self, tmp_path: Path, wasm: bytes) -> None:
        assert "does not run" in self.refused(packed(tmp_path / "policies.tar.gz", wasm))


class TestAnEvaluationThatFails:
    """By modules that do what no policy should. Each denies, and says no more than that."""

    @pytest.mark.parametrize(
        ("evaluation", "more"),
        [
            ("unreachable", ""),
            ("i32.const 0 call $abort i32.const 0", ""),
            ("i32.const -1", ""),
            ("i32.const 64", '(data (i32.const 64) "[{")'),
            ("i32.const 64", '(data (i32.const 64) "{}")'),
            ("i32.const 64", '(data (i32.const 64) "[{\\"result\\": 1e400}]")'),
            ("i32.const 64", '(data (i32.const 64) "[]")'),
            (_ONCE, f"(data (i32.const 64) {json.dumps(_NOTHING)})"),
        ],
        ids=["trap", "abort", "beyond its memory", "no JSON", "no list", "no number", "undefined", "state left behind"],
    )
    def test_is_no_answer(self, tmp_path: Path, evaluation: str, more: str) -> None:
        failing = engine(packed(tmp_path / "policies.tar.gz", module(evaluation, more)))
        for _ in range(2):
            with pytest.raises(PolicyUnavailable):
                failing.evaluate(sample())

    def test_one_that_does_not_end_is_ended(self, tmp_path: Path) -> None:
        endless = engine(packed(tmp_path / "policies.tar.gz", module("(loop $l (br $l)) i32.const 0")), timeout_ms=50)
        with pytest.raises(PolicyUnavailable, match=r"not evaluated within 0\.05 s"):
            endless.evaluate(sample())

    def test_the_time_of_one_begins_when_it_begins(self, tmp_path: Path) -> None:
        path = packed(
            tmp_path / "policies.tar.gz", module("i32.const 64", f"(data (i32.const 64) {json.dumps(_NOTHING)})")
        )
        idle = engine(path, timeout_ms=60_000)
        for _ in range(2):
            assert idle.evaluate(sample()).checks == frozenset()
            for _ in range(100):
                idle._engine.increment_epoch()

    def test_one_that_takes_all_memory_is_ended(self, tmp_path: Path) -> None:
        grow = "(if (i32.eq (memory.grow (i32.const 4096)) (i32.const -1)) (then unreachable)) i32.const 0"
        greedy = engine(packed(tmp_path / "policies.tar.gz", module(grow)))
        with pytest.raises(PolicyUnavailable, match="Trap"):
            greedy.evaluate(sample())


def test_the_clock_ends_with_its_engine(tmp_path: Path) -> None:
    def clocks() -> set[threading.Thread]:
        return {one for one in threading.enumerate() if one.name == "policy-clock"}

    others = clocks()
    made = engine(packed(tmp_path / "policies.tar.gz", module("i32.const 0")), timeout_ms=10)
    (clock,) = clocks() - others
    del made
    clock.join(timeout=10)
    assert not clock.is_alive()


@pytest.mark.real
class TestOnWhatOpaCompiled:
    def test_sixteen_threads_get_the_answers_that_one_gets(self, bundle_path: Path) -> None:
        compiled = engine(bundle_path, timeout_ms=30_000)
        expected = [compiled.evaluate(case.document) for case in CASES]

        def run(offset: int) -> None:
            for place in range(len(CASES)):
                at = (place + offset) % len(CASES)
                assert compiled.evaluate(CASES[at].document) == expected[at], CASES[at].name

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(run, range(16)))

    def test_a_long_document_is_evaluated_and_leaves_room_for_the_next(self, bundle_path: Path) -> None:
        compiled = engine(bundle_path)
        long = sample()
        long["request"]["images"] = ["x" * 100] * (question.DOCUMENT_BYTES_MAX // 110)
        for _ in range(200):
            assert compiled.evaluate(long).checks == ALL
            assert compiled.evaluate(sample()).checks == ALL

    def test_it_is_not_taken_for_other_policies(self, bundle_path: Path) -> None:
        with pytest.raises(BadInput, match="and this service holds ffffffffffff"):
            Wasm(bundle.Bundle((), {}, "f" * 64), bundle_path, 1000)


class TestBuilding:
    def test_a_program_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="say where it is with --opa"):
            build(bundle.load(), str(tmp_path / "opa"), tmp_path / "policies.tar.gz")
        assert not list(tmp_path.iterdir())

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="cannot be written"):
            build(bundle.load(), "opa", tmp_path / "absent" / "policies.tar.gz")

    def test_a_program_that_refuses_leaves_what_was_there(self, tmp_path: Path) -> None:
        program, output = tmp_path / "opa", tmp_path / "policies.tar.gz"
        program.write_text("#!/bin/sh\necho 1 error occurred: >&2\necho unsafe var >&2\nexit 1\n")
        program.chmod(0o755)
        output.write_text("before")
        with pytest.raises(BadInput, match=r"does not compile the policies \(1 error occurred: unsafe var\)"):
            build(bundle.load(), str(program), output)
        assert output.read_text() == "before"
