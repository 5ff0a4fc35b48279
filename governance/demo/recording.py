"""What a real cluster sent while the end-to-end test played, made to look as if it were sent now.

`make recordings` refreshes the files. A scene is a review, as the API server sent it, and what the watch told after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

FOLDER = Path(__file__).parent / "recordings"
_UID = re.compile(r'"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')
_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z"')
_VERSION = re.compile(r'("resourceVersion": ?)"(\d+)"')


@dataclass(frozen=True, slots=True)
class Told:
    """What the watch told: `type` is ADDED, MODIFIED or DELETED; `kind` group/resource, or core/namespaces."""

    kind: str
    type: str
    object: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """A review and what followed. `review` is None where only the watch tells."""

    review: dict[str, Any] | None
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """The scenes by name, and on which Kubernetes, and when, they were recorded."""

    kubernetes: str
    recorded_at: datetime
    scenes: Mapping[str, Scene]


def load(now: datetime, folder: Path = FOLDER) -> Recording:
    """Read the scenes and restamp them: other uids, times that end now, resourceVersions that nobody saw before."""
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    recorded_at = datetime.fromisoformat(about["recorded_at"])
    restamp = _restamp(now - recorded_at, int(now.timestamp()))
    scenes = {name: _scene(json.loads(restamp(_text(folder, name)))) for name in about["scenes"]}
    return Recording(about["kubernetes"], recorded_at, scenes)


def _text(folder: Path, name: str) -> str:
    return (folder / f"{name}.json").read_text(encoding="utf-8")


def _scene(document: dict[str, Any]) -> Scene:
    return Scene(document["review"], tuple(Told(**one) for one in document["told"]))


def _restamp(later: timedelta, versions_from: int) -> Callable[[str], str]:
    """The same uid becomes the same new uid everywhere, so that what belongs together still does."""

    @cache
    def uid(_: str) -> str:
        return str(uuid4())

    def time(match: re.Match[str]) -> str:
        moved = datetime.fromisoformat(match[1]) + later
        return f'"{moved:%Y-%m-%dT%H:%M:%S}{match[2] or ""}Z"'

    def restamp(text: str) -> str:
        text = _UID.sub(lambda match: f'"{uid(match[1])}"', text)
        text = _VERSION.sub(lambda match: f'{match[1]}"{versions_from + int(match[2])}"', text)
        return _TIME.sub(time, text)

    return restamp
