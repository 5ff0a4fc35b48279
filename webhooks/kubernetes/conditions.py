"""When the API server does not even ask: matchConditions of the webhook, in CEL. LEDGER.md, "Continuity".

The API server evaluates them itself, so that they hold while this service is gone. It does not call the webhook for

- what kube-system's own controllers do to the pods, ReplicaSets and claims of workloads that were admitted (unless
  pods are strict), nor for the mirror pods that a node makes of its static ones;
- updates by which nothing rises: fewer replicas, a smaller claim, a change of labels, a finalizer removed.

All conditions must hold for the webhook to be called, so each says what it is not. An absent field is asked for with
`has` all the way down: an error in a condition would refuse the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from governance.errors import BadInput
from webhooks.kubernetes.controllers import WORKLOAD_CONTROLLERS
from webhooks.kubernetes.kinds import Scalable

CONDITIONS_MAX = 64  # admissionregistration.k8s.io/v1
_APPS = ("deployments", "replicasets", "statefulsets")
_CHILDREN = ("pods", "replicasets", "persistentvolumeclaims", "resourceclaims")
_SUBRESOURCE = "(has(request.subResource) ? request.subResource : '')"
_CONTROLLERS = ("replicationcontrollers",)


def conditions(pods: Literal["lenient", "strict"], scalables: Sequence[Scalable] = ()) -> list[dict[str, str]]:
    """The matchConditions, by name.

    Args:
        pods: lenient leaves out what controllers make for admitted workloads; strict asks for it too.
        scalables: kinds of one's own with a scale subresource.

    Raises:
        BadInput: more kinds than the API server allows conditions.
    """
    found = {"not-by-a-node": _not_by_a_node()}
    if pods == "lenient":
        found["not-by-a-workload-controller"] = _not_by_a_workload_controller()
    found |= {name: f"!({expression})" for name, expression in _NOTHING_RISES.items()}
    for one in scalables:
        group, _, resource = one.kind.partition("/")
        found[f"not-a-smaller-{resource}.{group}"] = f"!({_smaller_scalable(one, group, resource)})"
    if len(found) > CONDITIONS_MAX:
        limit = CONDITIONS_MAX - len(found) + len(scalables)
        raise BadInput(f"At most {limit} kinds of one's own can be registered.", field="scalables")
    return [{"name": name, "expression": expression} for name, expression in found.items()]


def _not_by_a_node() -> str:
    # A node makes mirror pods of its static ones, and may make no others (NodeRestriction).
    return "!(request.resource.resource == 'pods' && request.userInfo.username.startsWith('system:node:'))"


def _not_by_a_workload_controller() -> str:
    return (
        f"!(request.resource.resource in {_listed(_CHILDREN)}"
        f" && request.userInfo.username in {_listed(WORKLOAD_CONTROLLERS)})"
    )


def _listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


def _update(group: str, resources: Iterable[str], subresource: str, *expressions: str) -> str:
    where = (
        "request.operation == 'UPDATE'",
        f"request.resource.group == '{group}'",
        f"request.resource.resource in {_listed(resources)}",
        f"{_SUBRESOURCE} == '{subresource}'",
    )
    return " && ".join((*where, *expressions))


def _present(path: str) -> str:
    names = path.split(".")
    return "(" + " && ".join(f"has({'.'.join(names[: end + 1])})" for end in range(1, len(names))) + ")"


def _or(path: str, default: str) -> str:
    return f"({_present(path)} ? {path} : {default})"


def _same(path: str) -> str:
    after, before = f"object.{path}", f"oldObject.{path}"
    return f"({_present(after)} ? {_present(before)} && {after} == {before} : !{_present(before)})"


def _no_more(path: str, default: int) -> str:
    return f"{_or(f'object.{path}', str(default))} <= {_or(f'oldObject.{path}', str(default))}"


def _any(*expressions: str) -> str:
    return "(" + " || ".join(f"({one})" for one in expressions) + ")"


def _no_larger(after: str, before: str) -> str:
    return f"quantity(string({after})).compareTo(quantity(string({before}))) <= 0"


def _no_larger_amounts(which: str) -> str:
    # Each amount of container c stands, and is no larger, in container o, the same one before.
    after, before = f"c.resources.{which}", f"o.resources.{which}"
    each = f"{_present(before)} && k in {before} && {_no_larger(f'{after}[k]', f'{before}[k]')}"
    return f"(!{_present(after)} || {after}.all(k, {each}))"


def _no_larger_containers(path: str) -> str:
    match = f"o.name == c.name && {_no_larger_amounts('requests')} && {_no_larger_amounts('limits')}"
    after, before = f"object.spec.{path}", f"oldObject.spec.{path}"
    return f"(!{_present(after)} || {after}.all(c, {_present(before)} && {before}.exists(o, {match})))"


def _ports(root: str) -> str:
    return f"size({_or(f'{root}.spec.ports', '[]')})"


def _explicit_node_ports(root: str) -> str:
    return f"{_or(f'{root}.spec.ports', '[]')}.filter(p, has(p.nodePort)).size()"


def _smaller_claim() -> str:
    path = "spec.resources.requests.storage"
    after, before = f"object.{path}", f"oldObject.{path}"
    smaller = f"{_same('spec.storageClassName')} && {_present(after)} && {_present(before)} && "
    return _any(_same("spec"), smaller + _no_larger(after, before))


def _smaller_service() -> str:
    kept = (
        _same("spec.type"),
        _same("spec.allocateLoadBalancerNodePorts"),
        f"{_ports('object')} <= {_ports('oldObject')}",
        f"{_explicit_node_ports('object')} <= {_explicit_node_ports('oldObject')}",
    )
    inside = f"{_or('object.spec.type', repr('ClusterIP'))} in ['ClusterIP', 'ExternalName']"
    return _any(inside, " && ".join(kept))


def _not_resumed() -> str:
    return _any(_or("object.spec.suspend", "false"), f"!{_or('oldObject.spec.suspend', 'false')}")


def _smaller_scalable(one: Scalable, group: str, resource: str) -> str:
    whole = _update(group, (resource,), "", _same(one.template), _no_more(one.replicas, 1))
    return _any(whole, _update(group, (resource,), "scale", _no_more("spec.replicas", 0)))


_NOTHING_RISES = {
    "not-a-smaller-workload": _update(
        "apps", _APPS, "", _same("spec.template"), _same("spec.strategy"), _no_more("spec.replicas", 1)
    ),
    "not-a-smaller-replication-controller": _update(
        "", _CONTROLLERS, "", _same("spec.template"), _no_more("spec.replicas", 1)
    ),
    "not-a-smaller-scale": _any(
        _update("apps", _APPS, "scale", _no_more("spec.replicas", 0)),
        _update("", _CONTROLLERS, "scale", _no_more("spec.replicas", 0)),
    ),
    "not-the-same-daemon-set": _update(
        "apps", ("daemonsets",), "", _same("spec.template"), _same("spec.updateStrategy")
    ),
    "not-a-smaller-job": _update(
        "batch",
        ("jobs",),
        "",
        _same("spec.template"),
        _same("spec.completions"),
        _no_more("spec.parallelism", 1),
        _not_resumed(),
    ),
    "not-the-same-cron-job": _update("batch", ("cronjobs",), "", _same("spec.jobTemplate")),
    "not-a-smaller-autoscaler": _update(
        "autoscaling",
        ("horizontalpodautoscalers",),
        "",
        _same("spec.scaleTargetRef"),
        _no_more("spec.maxReplicas", 0),
    ),
    "not-a-smaller-claim": _update("", ("persistentvolumeclaims",), "", _smaller_claim()),
    "not-a-smaller-service": _update("", ("services",), "", _smaller_service()),
    "not-the-same-pod": _update(
        "", ("pods",), "", _same("spec"), _same("metadata.labels"), _same("metadata.ownerReferences")
    ),
    "not-a-smaller-pod": _update(
        "",
        ("pods",),
        "resize",
        _same("spec.resources"),
        _no_larger_containers("containers"),
        _no_larger_containers("initContainers"),
    ),
}
