"""The story goes on: pathology requires scanned images. It begins where `test_story` ended."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from governance.audit.keys import ensure_key, public_pem
from governance.clock import now
from governance.compliance.tables import CheckpointRecord
from tests.e2e import objects
from tests.e2e.test_story import refusal
from tests.e2e.world import CommandError, World, eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

NAMESPACE = "slides"
DIGEST = f"sha256:{'5c' * 32}"
IMAGE = f"registry.st-elisabeth.example/slides:2.1@{DIGEST}"


def slides(name: str, image: str = IMAGE) -> str:
    return json.dumps(objects.deployment(name, 1, image=image))


def denied(world: World, made: str, *more: str) -> str:
    """What kubectl says in pathology's namespace when it is refused."""
    return refusal(world, "create", "-f", "-", *more, stdin=made, namespace=NAMESPACE)


@pytest.fixture(scope="module")
def key(world: World, manifests: Path) -> Path:
    """The scanner's private key; its public half stands in the manifests, which are applied."""
    file = world.folder / "scanner.pem"
    pem = public_pem(ensure_key(file)).replace("\n", "\n    ").strip()
    described = manifests / "compliance.yaml"
    changed = re.sub(r"-----BEGIN.*?END PUBLIC KEY-----", lambda _: pem, described.read_text(), flags=re.DOTALL)
    described.write_text(changed)
    assert "Attestor" in world.cli("apply", "-f", str(manifests))
    return file


def scan(world: World, key: Path, *more: str, type_: str = "vuln-scan", result: str = "pass") -> str:
    """What the scanner's pipeline does, with a token of its own."""
    words = ("--type", type_, "--digest", IMAGE, "--result", result, "--key", str(key))
    return world.cli("checkpoint", "record", *words, *more, person="deployer")


def test_9_an_image_without_its_scan_is_denied_and_so_is_one_named_by_a_tag_alone(world: World, key: Path) -> None:
    assert key.exists()
    world.kubernetes.kubectl("create", "namespace", NAMESPACE)
    world.kubernetes.kubectl("label", "namespace", NAMESPACE, "hospital.example/project=slide-scanning")
    world.kubernetes.may("okafor", "edit", NAMESPACE)
    eventually(lambda: "is bound to no project" not in denied(world, slides("viewer")), "the namespace is bound")
    assert f"image {IMAGE} has no vuln-scan, required at pathology" in denied(world, slides("viewer"))
    assert "has no vuln-scan" in denied(world, slides("viewer"), "--dry-run=server")
    said = denied(world, slides("viewer", "registry.st-elisabeth.example/slides:2.1"))
    assert "is named by no digest (IMAGE@sha256:...), and vuln-scan is required at pathology" in said


def test_9_it_passes_once_a_scan_is_recorded_by_who_may_attest_it(world: World, key: Path) -> None:
    told = world.cli("token", "create", "pipeline", "--scope", "checkpoint:record", "--person", "deployer")
    world.tokens["deployer"] = told.strip().splitlines()[-1].split()[-1]
    with pytest.raises(CommandError) as refused:
        scan(world, key, type_="penetration-test")
    assert (refused.value.code, "may attest vuln-scan" in refused.value.error) == (4, True)
    stranger = world.folder / "stranger.pem"
    ensure_key(stranger)
    with pytest.raises(CommandError) as refused:
        scan(world, stranger)
    assert (refused.value.code, "signed by no attestor" in refused.value.error) == (3, True)
    assert world.count(CheckpointRecord) == 0
    hour_ago = (now() - timedelta(hours=1)).isoformat()
    assert "pass, attested by image-scanner" in scan(world, key, "--at", hour_ago)
    world.kubectl("create", "-f", "-", namespace=NAMESPACE, stdin=slides("viewer"))
    eventually(lambda: len(world.kubernetes.running_pods(NAMESPACE)) == 1, "its pod runs")


def test_9_a_later_failure_stops_what_is_new_and_nothing_that_runs(world: World, key: Path) -> None:
    assert "fail, attested by" in scan(world, key, result="fail")
    assert f"image {IMAGE} failed its vuln-scan, required at pathology, on " in denied(world, slides("another"))
    (pod,) = world.kubernetes.running_pods(NAMESPACE)
    world.kubectl("delete", "pod", pod["metadata"]["name"], namespace=NAMESPACE)
    eventually(
        lambda: [one["metadata"]["uid"] for one in world.kubernetes.running_pods(NAMESPACE)] not in ([], [_uid(pod)]),
        "the pod that was deleted comes back",
    )
    world.kubectl("scale", "deployment/viewer", "--replicas=2", namespace=NAMESPACE)
    eventually(lambda: len(world.kubernetes.running_pods(NAMESPACE)) == 2, "it can be scaled")


def _uid(pod: objects.Object) -> str:
    return str(pod["metadata"]["uid"])
