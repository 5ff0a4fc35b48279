"""Policies compiled by the real OPA, as `governance policy build` does it."""

from pathlib import Path

from governance.policy import build, bundle
from tools import parts


def built(folder: Path) -> Path:
    """A bundle of the packaged policies, in that folder."""
    output = folder / "policies.tar.gz"
    build.build(bundle.load(), str(parts.policy() / "bin" / "opa"), output)
    return output
