"""Where the command line keeps the session tokens of whoever ran `governance login`: a file that only they can read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from governance.cli.exits import NOT_ALLOWED, Failed

_FILE_MODE = 0o600


def read_token(server: str) -> str | None:
    """The token for this server; None if nobody is signed in there.

    Raises Failed if others could read the file, since then others could have the token too.
    """
    return (_read().get(server) or {}).get("token")


def keep_token(server: str, token: str, expires_at: str, person: str) -> Path:
    """Keep a token for this server. Returns the file."""
    known = _read()
    known[server] = {"token": token, "expires_at": expires_at, "person": person}
    _write(known)
    return path()


def forget_token(server: str) -> None:
    """Forget the token for this server."""
    known = _read()
    if known.pop(server, None) is not None:
        _write(known)


def path() -> Path:
    """`$XDG_CONFIG_HOME/governance/credentials.json` (XDG Base Directory Specification), or below `~/.config`."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "governance" / "credentials.json"


def _read() -> dict[str, Any]:
    file = path()
    try:
        mode = file.stat().st_mode & 0o777
        content = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    if mode & 0o077:
        raise Failed(f"{file} can be read by others. Run: chmod 600 {file}, and sign in again.", NOT_ALLOWED)
    try:
        known = json.loads(content)
    except ValueError:
        known = None
    if not isinstance(known, dict):
        raise Failed(f"{file} cannot be read. Remove it, and sign in again: governance login.", NOT_ALLOWED)
    return known


def _write(known: dict[str, Any]) -> None:
    """Written anew beside the old one and moved over it: at no moment is there half a file, or one for others."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE), "w", encoding="utf-8") as out:  # noqa: PTH123  (mode at creation)
        json.dump(known, out, indent=2)
    fresh.replace(file)
