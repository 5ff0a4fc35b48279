"""Compiling the policies to WebAssembly, by OPA: what the engine `wasm` runs."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from governance.errors import BadInput, PolicyUnavailable
from governance.policy import bundle

_TIMEOUT_S = 60


def build(policies: bundle.Bundle, opa: str, output: Path) -> None:
    """Write a bundle of these policies, whose revision is their digest. `output` is replaced as a whole, or not at all.

    Args:
        policies: what to compile.
        opa: the program (OPA 1.x), by name or path.
        output: the file to write (.tar.gz).

    Raises:
        BadInput: there is no such program, OPA refuses the policies, or the file cannot be written.
        PolicyUnavailable: OPA takes longer than a minute.
    """
    try:
        with tempfile.TemporaryDirectory(dir=output.absolute().parent) as folder:
            source, made = Path(folder, "policies"), Path(folder, "bundle.tar.gz")
            for one in policies.modules:
                path = source / one.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(one.text, encoding="utf-8", newline="")
            _compile(opa, source, made, policies.digest)
            made.replace(output)
    except OSError as error:
        raise BadInput(
            f"{output} cannot be written ({error.strerror}).",
            field="output",
            remedy="Name a file in a folder of yours.",
        ) from None


def _compile(opa: str, source: Path, made: Path, revision: str) -> None:
    entrypoint = bundle.ENTRYPOINT.replace(".", "/")
    command = [opa, "build", "--target", "wasm", "--entrypoint", entrypoint, "--revision", revision]
    try:
        subprocess.run(  # noqa: S603  (the program that the caller names)
            [*command, "--output", str(made), str(source)],
            check=True,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except (FileNotFoundError, PermissionError):
        raise BadInput(
            f"{opa} is no program here.", field="opa", remedy="Install OPA 1.x, or say where it is with --opa."
        ) from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())
        raise BadInput(f"OPA does not compile the policies ({said}).", field="opa", remedy="Run opa check.") from None
    except subprocess.TimeoutExpired:
        raise PolicyUnavailable(f"OPA has not compiled the policies within {_TIMEOUT_S} s.") from None
