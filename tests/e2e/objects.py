"""Kubernetes objects of the story."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
IMAGE = "registry.st-elisabeth.example/ct@sha256:" + "9f" * 32


def pod_spec(gpus: int = 0, cpu: str = "1", image: str = IMAGE) -> Object:
    limits = {"limits": {"nvidia.com/gpu": str(gpus)}} if gpus else {}
    resources = {"requests": {"cpu": cpu, "memory": "1Gi"}, **limits}
    return {"containers": [{"name": "main", "image": image, "resources": resources}]}


def template(name: str, **more: Any) -> Object:  # noqa: ANN401
    return {"metadata": {"labels": {"app": name}}, "spec": pod_spec(**more)}


def deployment(name: str, replicas: int, **more: Any) -> Object:  # noqa: ANN401
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": template(name, **more),
        },
    }


def pod(name: str, **more: Any) -> Object:  # noqa: ANN401
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod_spec(**more)}


def job(name: str, parallelism: int, **more: Any) -> Object:  # noqa: ANN401
    spec = {**pod_spec(**more), "restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"parallelism": parallelism, "completions": parallelism, "template": {"spec": spec}},
    }


def claim(name: str, size: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def stateful_set(name: str, replicas: int, claims: str, **more: Any) -> Object:  # noqa: ANN401
    wanted = claim("data", claims)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, **more),
            "volumeClaimTemplates": [{"metadata": wanted["metadata"], "spec": wanted["spec"]}],
        },
    }


def daemon_set(name: str, **more: Any) -> Object:  # noqa: ANN401
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template(name, **more)},
    }


def load_balancer(name: str) -> Object:
    ports = [{"port": 443}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"type": "LoadBalancer", "ports": ports, "selector": {"app": name}},
    }


def autoscaler(name: str, target: str, minimum: int, maximum: int) -> Object:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "minReplicas": minimum,
            "maxReplicas": maximum,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                }
            ],
        },
    }
