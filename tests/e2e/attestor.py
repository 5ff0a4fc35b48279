"""The hospital's image scanner: a key of its own, whose public half stands in the manifests."""

from __future__ import annotations

from pathlib import Path

import yaml

from governance.audit.keys import ensure_key, public_pem


def described(folder: Path, key: Path) -> None:
    """Put the public half of a new key into the Attestor manifest of the example."""
    file = folder / "compliance.yaml"
    manifest = yaml.safe_load(file.read_text())
    manifest["spec"]["publicKey"] = public_pem(ensure_key(key))
    file.write_text(yaml.safe_dump(manifest))
