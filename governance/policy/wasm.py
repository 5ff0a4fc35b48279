"""The policies as OPA compiles them to WebAssembly, run in this process (wasmtime): OPA's answers without a call to it.

Nothing is compiled from Rego here. `governance policy build` has OPA compile the policies into a bundle whose revision
is their digest; a bundle of other policies than those that this service holds is refused.

Source: https://www.openpolicyagent.org/docs/wasm, ABI 1.2 (`opa_eval`).
"""

from __future__ import annotations

import tarfile
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import wasmtime
from wasmtime import Func, FuncType, Linker, Memory, MemoryType, Module, Store, Trap, TrapCode, WasmtimeError

from governance.errors import BadInput, PolicyUnavailable
from governance.policy import answer, bundle, question
from governance.policy.model import Evaluation, Rule

_MODULE_BYTES_MAX = 64 * 1024 * 1024
_MEMORY_BYTES_MAX = 64 * 1024 * 1024  # of one instance; an admission's evaluation takes less than one
_ANSWER_BYTES_MAX = 4 * 1024 * 1024
_PAGE_BYTES = 64 * 1024
_CHUNK_BYTES = 1024
_TICKS = 10  # of the clock that ends evaluations, in the time that one may take


class Wasm:
    """Evaluates in this process. Safe to call from many threads: each has an instance of its own.

    Args:
        policies: what the bundle must have been built from.
        path: the bundle.
        timeout_ms: how long an evaluation may take, to within a tenth.

    Raises:
        BadInput: the bundle cannot be read, does not run, or is of other policies.
    """

    def __init__(self, policies: bundle.Bundle, path: Path | None, timeout_ms: int) -> None:
        self._policies = policies
        self._timeout_s = timeout_ms / 1000
        self._own = threading.local()
        content = _read(path, policies.digest)
        config = wasmtime.Config()
        config.epoch_interruption = True
        self._engine = wasmtime.Engine(config)
        try:
            self._module = Module(self._engine, content)
            self._own.instance = _Instance(self._engine, self._module)
        except (WasmtimeError, LookupError) as error:
            raise _bad(f"{path} holds a module that does not run ({str(error).splitlines()[0]}).") from None
        ticks = (weakref.ref(self._engine), self._timeout_s / _TICKS)
        threading.Thread(target=_tick, args=ticks, name="policy-clock", daemon=True).start()

    @property
    def digest(self) -> str:
        return self._policies.digest

    @property
    def rules(self) -> Mapping[str, Rule]:
        return self._policies.rules

    def evaluate(self, document: Mapping[str, Any]) -> Evaluation:
        written = question.encode(document)
        instance: _Instance | None = getattr(self._own, "instance", None)
        self._own.instance = None  # one that fails midway is in no known state, and is not asked again
        try:
            instance = instance or _Instance(self._engine, self._module)
            raw = instance.evaluate(written)
        except (Trap, WasmtimeError, ValueError, LookupError) as error:
            if isinstance(error, Trap) and error.trap_code == TrapCode.INTERRUPT:
                raise PolicyUnavailable(
                    f"The policies were not evaluated within {self._timeout_s:g} s.",
                    remedy="Give this service more processors, or run another instance.",
                ) from None
            raise PolicyUnavailable(f"The policies could not be evaluated ({type(error).__name__}).") from error
        self._own.instance = instance
        return answer.parse(raw, self.rules)


class _Instance:
    """The module with a memory of its own, for one thread at a time."""

    def __init__(self, engine: wasmtime.Engine, module: Module) -> None:
        self._store = store = Store(engine)
        store.set_limits(memory_size=_MEMORY_BYTES_MAX)
        store.set_epoch_deadline(_TICKS)
        linker = Linker(engine)
        for one in module.imports:
            if isinstance(one.type, MemoryType):
                self._memory = Memory(store, one.type)
                linker.define(store, one.module, "memory", self._memory)
            elif isinstance(one.type, FuncType):  # opa_abort, opa_builtin0..4: no rule may call what needs a host
                linker.define(store, one.module, one.name or "", Func(store, one.type, _refuse))
        exports = linker.instantiate(store, module).exports(store)
        self._eval: Any = exports["opa_eval"]
        allocate: Any = exports["opa_malloc"]
        parse: Any = exports["opa_json_parse"]
        heap: Any = exports["opa_heap_ptr_get"]
        empty = allocate(store, 2)
        self._memory.write(store, b"{}", empty)
        self._data = parse(store, empty, 2)
        self._heap = heap(store)

    def evaluate(self, written: bytes) -> object:
        """The entrypoint's value for an input, None where it is undefined; over what the last evaluation left.

        Raises Trap, WasmtimeError, ValueError, LookupError: nothing that can be relied on.
        """
        store, memory, start = self._store, self._memory, self._heap
        missing = start + len(written) - memory.data_len(store)
        if missing > 0:
            memory.grow(store, -(-missing // _PAGE_BYTES))
        memory.write(store, written, start)
        store.set_epoch_deadline(_TICKS + 1)
        results = orjson.loads(
            self._text(self._eval(store, 0, 0, self._data, start, len(written), start + len(written), 0))
        )
        return results[0]["result"] if results else None

    def _text(self, address: int) -> bytes:
        """What stands there, up to the zero that ends it."""
        found = bytearray()
        while len(found) <= _ANSWER_BYTES_MAX:
            at = address + len(found)
            text, end, _ = self._memory.read(self._store, at, at + _CHUNK_BYTES).partition(b"\0")
            found += text
            if end or not text:
                return bytes(found)
        raise ValueError(f"more than {_ANSWER_BYTES_MAX} bytes")


def _refuse(*_: int) -> int:
    raise ValueError("the policies abort, or call what only a host could answer")


def _tick(engine: weakref.ref[wasmtime.Engine], every_s: float) -> None:
    """Move the clock on which evaluations end, for as long as there is somebody to evaluate."""
    while (running := engine()) is not None:
        running.increment_epoch()
        del running
        time.sleep(every_s)


def _read(path: Path | None, digest: str) -> bytes:
    """The module of a bundle. Raises BadInput unless it is one of the policies with that digest."""
    if path is None:
        raise _bad("No bundle is named, and policy.engine is wasm.")
    try:
        with tarfile.open(path, "r:gz") as opened:
            manifest = orjson.loads(_member(opened, "/.manifest"))
            module = _member(opened, "/policy.wasm")
        entrypoints = [one["entrypoint"] for one in manifest["wasm"]]
        revision = manifest["revision"]
    except (OSError, EOFError, tarfile.TarError, LookupError, TypeError, ValueError) as error:
        raise _bad(f"{path} cannot be read as a bundle ({error}).") from None
    if entrypoints != [bundle.ENTRYPOINT.replace(".", "/")]:
        raise _bad(f"{path} has the entrypoints {entrypoints}.")
    if revision != digest:
        raise _bad(f"{path} is of the policies {str(revision)[:12]!r}, and this service holds {digest[:12]}.")
    return module


def _member(opened: tarfile.TarFile, name: str) -> bytes:
    member = opened.getmember(name)
    content = opened.extractfile(member)
    if content is None or member.size > _MODULE_BYTES_MAX:
        raise ValueError(f"{name} is no file of at most {_MODULE_BYTES_MAX} bytes")
    return content.read()


def _bad(detail: str) -> BadInput:
    return BadInput(detail, field="policy.bundle", remedy="Build it anew with `governance policy build`.")
