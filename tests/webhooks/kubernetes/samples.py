"""Objects and reviews for tests, as small as they may be."""

import json
from datetime import UTC, datetime
from typing import Any

from webhooks.kubernetes.review import Review, Unreadable, parse
from webhooks.kubernetes.surroundings import Surroundings

Json = dict[str, Any]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AROUND = Surroundings(now=NOW)
BODY_BYTES_MAX = 100_000


def container(**more: object) -> Json:
    return {"name": "main", "image": "registry/viewer:1", "resources": {"requests": {"cpu": "100m"}}, **more}


def pod_spec(**more: object) -> Json:
    return {"containers": [container()], **more}


def thing(
    kind: str, spec: Json, *, api_version: str = "apps/v1", status: Json | None = None, metadata: Json | None = None
) -> Json:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "viewer", "namespace": "radiology", "uid": "uid-1", **(metadata or {})},
        "spec": spec,
        "status": status or {},
    }


def deployment(
    replicas: int = 1, *, template: Json | None = None, status: Json | None = None, **metadata: object
) -> Json:
    spec = {
        "replicas": replicas,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "template": {"metadata": {"labels": {"app": "viewer"}}, "spec": template or pod_spec()},
    }
    return thing("Deployment", spec, status=status, metadata=metadata)


def pod(**metadata: object) -> Json:
    return thing("Pod", pod_spec(), api_version="v1", metadata=metadata)


def scale(replicas: int) -> Json:
    # The API server leaves replicas out of a Scale when there are none.
    spec = {"replicas": replicas} if replicas else {}
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "viewer", "namespace": "radiology", "uid": "uid-1", "resourceVersion": "7"},
        "spec": spec,
    }


def wire(operation: str, after: Json | None, before: Json | None = None, **more: object) -> Json:
    request: Json = {
        "uid": "review-1",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "name": "viewer",
        "namespace": "radiology",
        "operation": operation,
        "userInfo": {"username": "okafor", "groups": ["radiology"]},
        "object": after,
        "oldObject": before,
        "dryRun": False,
        "options": None,
        **more,
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def review(operation: str, after: Json | None, before: Json | None = None, **more: object) -> Review:
    found = parse(json.dumps(wire(operation, after, before, **more)).encode(), body_bytes_max=BODY_BYTES_MAX)
    assert not isinstance(found, Unreadable)
    return found


def of_pods(**more: object) -> Json:
    return {"resource": {"group": "", "version": "v1", "resource": "pods"}, **more}
