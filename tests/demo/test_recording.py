from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from governance.demo.cluster import RecordedCluster
from governance.demo.hospital import manifests
from governance.demo.recording import FOLDER, Scene, Told, load
from tests.configuration.manifests import EXAMPLE

_NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _uids(text: str) -> set[str]:
    return set(_UID.findall(text))


def _all(recorded: dict[str, Scene]) -> str:
    return json.dumps([[one.review, [told.object for told in one.told]] for one in recorded.values()])


def test_no_uid_of_the_recording_is_sent_and_what_belonged_together_still_does() -> None:
    files = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json"))
    scenes = dict(load(_NOW).scenes)
    assert not _uids(files) & _uids(_all(scenes))
    assert len(_uids(_all(scenes))) == len(_uids(files))
    created, scaled = scenes["created"].review, scenes["granted"].review
    assert created is not None
    assert scaled is not None
    assert created["request"]["object"]["metadata"]["uid"] == scaled["request"]["object"]["metadata"]["uid"]


def test_two_runs_send_different_uids() -> None:
    assert not _uids(_all(dict(load(_NOW).scenes))) & _uids(_all(dict(load(_NOW).scenes)))


def test_times_are_moved_to_now_and_versions_keep_their_order() -> None:
    recording = load(_NOW)
    told = [one.object["metadata"] for scene in recording.scenes.values() for one in scene.told]
    assert {one["creationTimestamp"][:10] for one in told} == {"2031-05-06"}
    versions = [int(one["resourceVersion"]) for one in told if one["name"] == "ct-train"]
    assert versions == sorted(set(versions))
    assert min(versions) > _NOW.timestamp()


def test_a_repeated_request_is_another_request_for_the_same_object() -> None:
    scenes = load(_NOW).scenes
    first, again = scenes["too-much"].review, scenes["granted"].review
    assert first is not None
    assert again is not None
    assert first["request"]["object"] == again["request"]["object"]
    assert first["request"]["uid"] != again["request"]["uid"]


def _told(kind: str, name: str, version: int, change: str = "ADDED") -> Told:
    meta = {"namespace": "ct-training", "name": name, "uid": name, "resourceVersion": str(version)}
    return Told(kind, change, {"metadata": meta})


def test_the_recorded_cluster_lists_what_is_there_and_watches_what_comes_after() -> None:
    cluster = RecordedCluster()
    cluster.tell(Scene(None, (_told("core/pods", "a", 5), _told("core/pods", "b", 6), _told("core/services", "c", 7))))
    cluster.tell(Scene(None, (_told("core/pods", "a", 8, "DELETED"),)))
    listing = cluster.list("/api/v1/pods")
    assert ([one["metadata"]["name"] for one in listing.items], listing.resource_version) == (["b"], "8")
    cluster.tell(Scene(None, (_told("core/services", "d", 9), _told("core/pods", "b", 10, "MODIFIED"))))
    event = next(cluster.watch("/api/v1/pods", listing.resource_version))
    assert (event.type, event.object["metadata"]["resourceVersion"]) == ("MODIFIED", "10")
    assert cluster.list("/api/v1/nodes").items == ()


def test_the_recorded_cluster_is_read_by_name_as_a_real_one_is() -> None:
    cluster = RecordedCluster()
    cluster.tell(load(_NOW).scenes["created"])
    found = cluster.get("/apis/apps/v1/namespaces/ct-training/deployments/ct-train")
    assert found is not None
    assert found["spec"]["replicas"] == 2
    assert cluster.get("/apis/apps/v1/namespaces/ct-training/deployments/viewer") is None


def test_a_watch_ends_when_nothing_is_told_and_can_be_made_anew() -> None:
    assert [*RecordedCluster().watch("/api/v1/pods", "0", timeout_s=0)] == []


def test_the_hospital_of_the_demo_is_the_example() -> None:
    assert manifests().samefile(EXAMPLE)
