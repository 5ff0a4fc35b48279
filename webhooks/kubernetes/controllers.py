"""The cluster's own controllers, by the names under which the API server knows them.

Each is a service account of kube-system when the controller manager runs with `--use-service-account-credentials`, as
kubeadm and the managed clusters run it (k8s.io/kubernetes `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`).
"""

from __future__ import annotations

_KUBE_SYSTEM = "system:serviceaccount:kube-system:"

# They make, keep and let go of the parts of workloads that were admitted, and nothing else. The CronJob controller is
# not among them: its Jobs are charged as they come. Nor is the HorizontalPodAutoscaler: its scales are wishes.
WORKLOAD_CONTROLLERS = (
    "system:kube-scheduler",  # makes the device claims of pods that ask for extended resources
    *(
        _KUBE_SYSTEM + name
        for name in (
            "daemon-set-controller",
            "deployment-controller",
            "ephemeral-volume-controller",
            "generic-garbage-collector",  # takes owners away from what an orphaning deletion leaves
            "job-controller",
            "persistent-volume-binder",  # binds claims, and gives them the default class
            "replicaset-controller",
            "replication-controller",
            "resource-claim-controller",
            "statefulset-controller",
        )
    ),
)


def is_workload_controller(actor: str) -> bool:
    """Whether the actor is one of the cluster's controllers that tend the parts of an admitted workload."""
    return actor in WORKLOAD_CONTROLLERS


def is_service_account(actor: str) -> bool:
    """Whether the actor is a program in the cluster rather than a person."""
    return actor.startswith("system:serviceaccount:")
