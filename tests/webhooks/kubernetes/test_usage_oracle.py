"""Kubernetes' own quota evaluators and ours agree on every resource of generated objects."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings

from governance.units import ResourceList, amount
from tests.parts.oracle import Oracle
from tests.webhooks.kubernetes.generated import CLAIMS, DEVICE_CLAIMS, PODS, SERVICES, Json
from webhooks.kubernetes.footprint import declaration_of
from webhooks.kubernetes.kinds import canonical_resource
from webhooks.kubernetes.surroundings import Surroundings
from webhooks.kubernetes.template import as_stored, with_container_defaults
from webhooks.kubernetes.usage import claim_usage, device_usage, pod_usage, service_usage

pytestmark = pytest.mark.real

NOW = datetime.now(UTC)
AROUND = Surroundings(now=NOW)
MANY = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=2500, derandomize=True)
SOME = settings(MANY, max_examples=1000)


def charged(usage: Mapping[str, str]) -> tuple[ResourceList, ResourceList]:
    """The oracle's answer in ledger units: what is taken, and the object counts apart. Two names of one agree."""
    found: dict[str, int] = {}
    for name, quantity in usage.items():
        ours = canonical_resource(name)
        value = amount(ours, quantity)
        assert found.setdefault(ours, value) == value
    counts = {name: value for name, value in found.items() if name.startswith("count/")}
    return ResourceList({name: value for name, value in found.items() if name not in counts}), ResourceList(counts)


def declared(kind: str, source: Json) -> tuple[ResourceList, ResourceList]:
    declaration = declaration_of(kind, source, AROUND)
    assert declaration is not None
    return declaration.unit * declaration.replicas, declaration.fixed


@given(pod=PODS)
@MANY
def test_a_pod_takes_what_kubernetes_says(quota_oracle: Oracle, pod: Json) -> None:
    stored = {**pod, "spec": with_container_defaults(pod["spec"])}
    taken, counts = charged(quota_oracle.usage(pod))
    assert pod_usage(stored, NOW) == taken
    assert declared("core/pods", stored) == (taken, counts)


@given(pod=PODS)
@SOME
def test_a_pod_with_defaults_at_pod_level_takes_what_kubernetes_says(quota_oracle: Oracle, pod: Json) -> None:
    stored = {**pod, "spec": as_stored(pod["spec"], "radiology", AROUND)}
    assert pod_usage(stored, NOW) == charged(quota_oracle.usage(stored))[0]


@given(claim=CLAIMS)
@SOME
def test_a_claim_takes_what_kubernetes_says(quota_oracle: Oracle, claim: Json) -> None:
    taken, counts = charged(quota_oracle.usage(claim))
    assert claim_usage(claim) == taken
    assert declared("core/persistentvolumeclaims", claim) == (taken, counts)


@given(service=SERVICES)
@SOME
def test_a_service_takes_what_kubernetes_says(quota_oracle: Oracle, service: Json) -> None:
    taken, counts = charged(quota_oracle.usage(service))
    assert service_usage(service) == taken
    assert declared("core/services", service) == (taken, counts)


@given(claim=DEVICE_CLAIMS)
@SOME
def test_a_device_claim_takes_what_kubernetes_says(quota_oracle: Oracle, claim: Json) -> None:
    taken, counts = charged(quota_oracle.usage(claim))
    assert device_usage(_with_defaults(claim)) == taken
    assert declared("resource.k8s.io/resourceclaims", _with_defaults(claim)) == (taken, counts)


def _with_defaults(claim: Json) -> Json:
    # resource/v1 defaults: ExactCount, and a count of 1 (pkg/apis/resource/v1/defaults.go)
    def one(request: Json) -> Json:
        mode = request.get("allocationMode", "ExactCount")
        count = request.get("count", 0) or 1
        return {**request, "allocationMode": mode, **({"count": count} if mode == "ExactCount" else {})}

    requests = [
        {
            **request,
            **({"exactly": one(request["exactly"])} if "exactly" in request else {}),
            **(
                {"firstAvailable": [one(each) for each in request["firstAvailable"]]}
                if "firstAvailable" in request
                else {}
            ),
        }
        for request in claim["spec"]["devices"]["requests"]
    ]
    return {**claim, "spec": {"devices": {"requests": requests}}}
