"""Chooses the demo's scenes from what the end-to-end test recorded: `make recordings`.

    python tools/recordings.py build/recording

Of each object the last state of a scene is kept; managed fields are left out, since nothing reads them.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.parts import KUBERNETES

TARGET = Path(__file__).parents[1] / "governance" / "demo" / "recordings"
NAMESPACE, NAME = "ct-training", "ct-train"
Item = dict[str, Any]


def main(folder: Path) -> None:
    """Write the scenes of the story that was recorded into a folder."""
    items = [json.loads(line) for line in (folder / "story.jsonl").read_text(encoding="utf-8").splitlines()]
    scenes = dict(_scenes(items))
    for old in TARGET.glob("*.json"):
        old.unlink()
    for name, scene in scenes.items():
        _write(name, scene)
    _write("about", {"kubernetes": KUBERNETES, "recorded_at": items[-1]["at"], "scenes": [*scenes]})
    for path in sorted(TARGET.glob("*.json")):
        print(f"{path.name}: {path.stat().st_size} bytes")


def _scenes(items: list[Item]) -> Iterator[tuple[str, Item]]:
    """Each scene by name. What is told between a review and the next belongs to the review."""
    reviews = [place for place, one in enumerate(items) if _is_ours(one)]
    asked = {place: items[place]["body"]["request"] for place in reviews}
    created = next(place for place in reviews if asked[place]["operation"] == "CREATE")
    scaled = [place for place in reviews if place > created and asked[place]["operation"] == "UPDATE"]
    to_20 = [place for place in scaled if _replicas(asked[place]) == 20]
    grant = next(place for place in to_20 if _told(items, place))
    back = next(
        place
        for place, one in enumerate(items)
        if place > grant and one["what"] == "event" and one["kind"] == "apps/deployments" and _replicas(one) == 2
    )
    frozen = next(place for place in scaled if place > back and _replicas(asked[place]) == 3)
    yield "before", {"review": None, "told": _listed(items[:created])}
    yield "created", {"review": _lean(items[created]["body"]), "told": _told(items, created)}
    yield "too-much", {"review": _lean(items[to_20[0]]["body"]), "told": []}
    yield "granted", {"review": _lean(items[grant]["body"]), "told": _last_states(items[grant:back])}
    yield "back", {"review": None, "told": _told(items, back - 1)}
    yield "once-more", {"review": _lean(items[next(one for one in to_20 if one > back)]["body"]), "told": []}
    yield "frozen", {"review": _lean(items[frozen]["body"]), "told": []}


def _is_ours(item: Item) -> bool:
    if item["what"] != "review":
        return False
    request = item["body"]["request"]
    asked = (request["resource"]["resource"], request["name"])
    return asked == ("deployments", NAME) and not request.get("dryRun")


def _replicas(item: Item) -> int:
    replicas: int = item["object"]["spec"]["replicas"]
    return replicas


def _told(items: list[Item], place: int) -> list[Item]:
    """What is told after a review, up to the next."""
    onward = (other for other in range(place + 1, len(items)) if items[other]["what"] == "review")
    return _last_states(items[place : next(onward, len(items))])


def _last_states(items: list[Item]) -> list[Item]:
    told: dict[str, Item] = {}
    for one in items:
        if one["what"] == "event" and one["object"]["metadata"].get("namespace") == NAMESPACE:
            uid = one["object"]["metadata"]["uid"]
            first = told[uid]["type"] if uid in told else one["type"]
            kind = one["type"] if one["type"] == "DELETED" else first
            told[uid] = {"kind": one["kind"], "type": kind, "object": _lean(one["object"])}
    return sorted(told.values(), key=lambda one: int(one["object"]["metadata"]["resourceVersion"]))


def _listed(items: list[Item]) -> list[Item]:
    """What was there at first, as far as the story is about it."""
    return [
        {"kind": listed["kind"], "type": "ADDED", "object": _lean(one)}
        for listed in items
        if listed["what"] == "list"
        for one in listed["objects"]
        if NAMESPACE in {one["metadata"]["name"], one["metadata"].get("namespace")}
    ]


def _lean(value: Any) -> Any:  # noqa: ANN401  (any JSON)
    if isinstance(value, dict):
        return {name: _lean(one) for name, one in value.items() if name != "managedFields"}
    return [_lean(one) for one in value] if isinstance(value, list) else value


def _write(name: str, document: Item) -> None:
    parts = (f' "{key}": {_text(value)}' for key, value in sorted(document.items()))
    (TARGET / f"{name}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _text(value: Any) -> str:  # noqa: ANN401  (any JSON)
    """One line for each thing that is told, so that a new recording can be compared with the old one."""
    if not isinstance(value, list) or not value:
        return json.dumps(value, sort_keys=True)
    lines = (f"  {json.dumps(one, sort_keys=True)}" for one in value)
    return "[\n" + ",\n".join(lines) + "\n ]"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
