"""The cluster's own controllers, by the names under which the API server knows them.

Each is a service account of kube-system when the controller manager runs with `--use-service-account-credentials`, as
kubeadm and the managed clusters run it (k8s.io/kubernetes `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`).
"""

from __future__ import annotations

_KUBE_SYSTEM = "system:serviceaccount:kube-system:"

# They make the pods, ReplicaSets and claims of workloads that were admitted, and nothing else. The CronJob controller
# is not among them: its Jobs are charged as they come. Nor is the HorizontalPodAutoscaler: its scales are wishes.
WORKLOAD_CONTROLLERS = tuple(
    _KUBE_SYSTEM + name
    for name in (
        "daemon-set-controller",
        "deployment-controller",
        "ephemeral-volume-controller",
        "job-controller",
        "replicaset-controller",
        "replication-controller",
        "resource-claim-controller",
        "statefulset-controller",
    )
)


def is_workload_controller(actor: str) -> bool:
    """Whether the actor is one of kube-system's controllers that make the parts of an admitted workload."""
    return actor in WORKLOAD_CONTROLLERS


def is_service_account(actor: str) -> bool:
    """Whether the actor is a program in the cluster rather than a person."""
    return actor.startswith("system:serviceaccount:")
