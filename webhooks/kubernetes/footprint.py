"""From an object to what it declares. LEDGER.md, "Kubernetes: the charge of a root"; docs/footprints.md for people.

    kind                    declares
    Deployment              R*u, and surge S*u while rolling
    ReplicaSet, RC          R*u
    StatefulSet             R*(u + claims), and how its claims are called: the ledger keeps them below it
    DaemonSet               matching nodes*u, and surge while rolling
    Job                     0 if suspended or finished, else min(parallelism, remaining)*u
    CronJob                 nothing; one run is `surge` pods of `unit`, never rolling
    Pod, PVC, Service, ResourceClaim   what Kubernetes' own quota evaluators say (`usage`)
    HorizontalPodAutoscaler nothing; it says how far it may scale what, which the ledger charges there if policy says so
    a kind of one's own     R*u, with the paths of its `Scalable`

Each also counts itself (`count/deployments.apps`). `u` is one pod of the template as the API server will store it,
without `count/pods`: the ledger adds those up over the pods that exist, and makes `u` as large as the largest of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from governance.quota.model import AUTOSCALER, CLAIM, STATEFUL_SET, Declaration, name_key
from governance.units import EMPTY, ResourceList, sum_of
from webhooks.kubernetes.kinds import Scalable, count_name, kind_of_manifest
from webhooks.kubernetes.selectors import matching_nodes
from webhooks.kubernetes.surroundings import Surroundings
from webhooks.kubernetes.template import (
    as_stored,
    claim_unit,
    images_of,
    made_for,
    prune,
    running_view,
    template_hash,
    unit_of,
)
from webhooks.kubernetes.usage import claim_usage, device_usage, pod_usage, service_usage
from webhooks.read import Object, at, flag, items, optional_whole, scaled, section, text, whole


@dataclass(frozen=True, slots=True)
class Wish:
    """A declaration, and the governed fields that it was made from, by path, as a person may read them."""

    declaration: Declaration
    fields: Mapping[str, Any]


def declaration_of(
    kind: str, source: Object, around: Surroundings, *, before: Declaration | None = None, changing: bool = False
) -> Declaration | None:
    """What an object declares; None for a kind that this service does not know.

    Args:
        kind: group/resource.
        source: the object, as JSON of its API version.
        around: the cluster around it.
        before: what was last known of the same object (a pending declaration included): a rolling update that was
            admitted is not over until its controller has seen the new generation.
        changing: the object's template is not the one that its controller has seen.

    Raises:
        BadInput: a field has the wrong type or a quantity is out of range; names it.
    """
    wish = wish_of(kind, source, around, before=before, changing=changing)
    return wish.declaration if wish else None


def wish_of(
    kind: str, source: Object, around: Surroundings, *, before: Declaration | None = None, changing: bool = False
) -> Wish | None:
    """The same with the governed fields."""
    if kind in around.scalables:
        return _replicated(kind, source, around, around.scalables[kind])
    make = _WISHES.get(kind)
    wish = make(kind, source, around) if make else None
    if wish and kind in _ROLLING and wish.declaration.surge:
        return Wish(_rolled(wish.declaration, source, before, changing=changing), wish.fields)
    return wish


def unknown_of(kind: str, around: Surroundings) -> str:
    """Why what an object of this kind takes cannot be told yet; empty if it can."""
    if kind != "core/pods" and kind not in _TEMPLATES and kind not in around.scalables:
        return ""
    missing = [one for one in around.missing if one != "nodes" or kind == "apps/daemonsets"]
    return f"not read yet: {', '.join(missing)}" if missing else ""


def is_unseen(kind: str, source: Object) -> bool:
    """Whether an object that can surge has a generation that its controller has not looked at.

    Only then does `declaration_of` need `before` to tell a rolling update from a scale; without it the answer is the
    larger of the two.
    """
    return kind in _ROLLING and _unseen(source)


def governs(kind: str, around: Surroundings) -> bool:
    """Whether objects of this kind are known here."""
    return kind in _WISHES or kind in around.scalables


def pod_template_of(kind: str, source: Object, around: Surroundings) -> Object:
    """The pod template of an object as it was written; empty where there is none."""
    path = around.scalables[kind].template if kind in around.scalables else _TEMPLATES.get(kind, "")
    return section(source, path) if path else {}


def flatten(value: Any, path: str) -> dict[str, Any]:  # noqa: ANN401  (any JSON value)
    """The leaves of a JSON value by path; a list's members by their `name`, where each has one, else by place."""
    if isinstance(value, Mapping) and value:
        pairs = ((f"{path}.{name}", one) for name, one in value.items())
    elif isinstance(value, list | tuple) and value:
        names = [one.get("name") if isinstance(one, Mapping) else None for one in value]
        named = all(names) and len(set(names)) == len(names)
        pairs = ((f"{path}[{names[place] if named else place}]", one) for place, one in enumerate(value))
    else:
        return {path: value}
    return {leaf: one for inner, child in pairs for leaf, one in flatten(child, inner).items()}


def _count(kind: str) -> ResourceList:
    return ResourceList({count_name(kind): 1})


def _namespace(source: Object) -> str:
    return text(source, "metadata.namespace")


def _templated(
    kind: str,
    source: Object,
    around: Surroundings,
    path: str,
    replicas: int,
    *,
    surge: int = 0,
    fields: Mapping[str, Any],
    claims: tuple[Object, ...] = (),
    revision: str = "",
) -> Wish:
    stored = as_stored(section(source, f"{path}.spec"), _namespace(source), around)
    unit = unit_of(stored, _namespace(source), around)
    view = running_view(stored)
    claim_units = [claim_unit(claim, around) for claim in claims]
    named_claims = {
        f"spec.volumeClaimTemplates[{text(claim, 'metadata.name')}]": one.as_dict()
        for claim, one in zip(claims, claim_units, strict=True)
    }
    declaration = Declaration(
        kind=kind,
        replicas=replicas,
        unit=sum_of((unit, *claim_units)),
        surge=surge,
        fixed=_count(kind),
        template=template_hash(view),
        revision=revision,
        images=images_of(stored),
    )
    return Wish(declaration, {**prune(fields), **named_claims, **flatten(view, f"{path}.spec")})


def _deployment(kind: str, source: Object, around: Surroundings) -> Wish:
    replicas = whole(source, "spec.replicas", 1)
    recreate = text(source, "spec.strategy.type") == "Recreate"
    path = "spec.strategy.rollingUpdate.maxSurge"
    surge = 0 if recreate or not replicas else scaled(source, path, replicas, "25%")
    fields = {"spec.replicas": replicas, path: None if recreate else at(source, path)}
    return _templated(kind, source, around, _TEMPLATES[kind], replicas, surge=surge, fields=fields)


def _replica_set(kind: str, source: Object, around: Surroundings) -> Wish:
    replicas = whole(source, "spec.replicas", 1)
    return _templated(kind, source, around, _TEMPLATES[kind], replicas, fields={"spec.replicas": replicas})


def _stateful_set(kind: str, source: Object, around: Surroundings) -> Wish:
    replicas = whole(source, "spec.replicas", 1)
    claims = tuple(items(source, "spec.volumeClaimTemplates"))
    fields = {"spec.replicas": replicas}
    revision = text(source, "status.updateRevision")
    wish = _templated(kind, source, around, _TEMPLATES[kind], replicas, fields=fields, claims=claims, revision=revision)
    names = tuple(f"{text(claim, 'metadata.name')}-{text(source, 'metadata.name')}" for claim in claims)
    return replace(wish, declaration=replace(wish.declaration, claims=names))


def _daemon_set(kind: str, source: Object, around: Surroundings) -> Wish:
    count = matching_nodes(around.nodes, section(source, "spec.template.spec"))
    path = "spec.updateStrategy.rollingUpdate.maxSurge"
    surge = 0 if text(source, "spec.updateStrategy.type") == "OnDelete" else scaled(source, path, count, 0)
    fields = {path: at(source, path) if surge else None}
    revision = _marked(source, "annotations", "deprecated.daemonset.template.generation")
    return _templated(kind, source, around, _TEMPLATES[kind], count, surge=surge, fields=fields, revision=revision)


def _job(kind: str, source: Object, around: Surroundings) -> Wish:
    fields = {f"spec.{name}": at(source, f"spec.{name}") for name in ("parallelism", "completions", "suspend")}
    return _templated(kind, source, around, _TEMPLATES[kind], _job_pods(source), fields=fields)


def _cron_job(kind: str, source: Object, around: Surroundings) -> Wish:
    path = "spec.jobTemplate"
    pods = _job_pods({"spec": {**section(source, f"{path}.spec"), "suspend": False}})
    fields = {f"{path}.spec.{name}": at(source, f"{path}.spec.{name}") for name in ("parallelism", "completions")}
    return _templated(kind, source, around, _TEMPLATES[kind], 0, surge=pods, fields=fields)


def _job_pods(job: Object) -> int:
    finished = any(
        text(one, "type") in {"Complete", "Failed"} and text(one, "status") == "True"
        for one in items(job, "status.conditions")
    )
    if finished or flag(job, "spec.suspend"):
        return 0
    parallelism = whole(job, "spec.parallelism", 1)
    completions, succeeded = optional_whole(job, "spec.completions"), whole(job, "status.succeeded")
    if completions is not None:
        return max(0, min(parallelism, completions - succeeded))
    if at(job, "spec.parallelism") is None:
        return max(0, 1 - succeeded)  # both absent: both default to 1
    return min(parallelism, whole(job, "status.active")) if succeeded else parallelism


def _pod(kind: str, source: Object, around: Surroundings) -> Wish:
    spec = section(source, "spec")
    unit = pod_usage(source, around.now)
    if unit:
        unit += made_for(spec, _namespace(source), around)
    owner = next((one for one in items(source, "metadata.ownerReferences") if flag(one, "controller")), None)
    view = running_view(spec, controlled=owner is not None)
    declaration = Declaration(
        kind=kind,
        replicas=1 if unit else 0,
        unit=unit,
        fixed=_count(kind),
        template=template_hash(view),
        revision=_made_of(source, owner) if owner else "",
        images=images_of(spec),
    )
    return Wish(declaration, flatten(view, "spec"))


def _made_of(pod: Object, owner: Object) -> str:
    # Below these owners pods of earlier templates live on (a partition, OnDelete); a ReplicaSet has one template.
    return _marked(pod, "labels", _REVISION_LABELS.get(text(owner, "kind"), ""))


def _marked(source: Object, which: str, name: str) -> str:
    found = section(source, f"metadata.{which}").get(name)
    return found if isinstance(found, str) else ""


def _claim(kind: str, source: Object, _around: Surroundings) -> Wish:
    storage = at(source, "spec.resources.requests.storage")
    fields = {"spec.storageClassName": at(source, "spec.storageClassName"), "spec.resources.requests.storage": storage}
    return _plain(kind, claim_usage(source), fields)


def _service(kind: str, source: Object, _around: Surroundings) -> Wish:
    unit = service_usage(source)
    return _plain(kind, unit, {"spec.type": at(source, "spec.type"), "nodePorts": unit["services.nodeports"]})


def _device_claim(kind: str, source: Object, _around: Surroundings) -> Wish:
    unit = device_usage(source)
    return _plain(kind, unit, {f"spec.devices.{name}": count for name, count in unit.items()})


def _autoscaler(kind: str, source: Object, around: Surroundings) -> Wish:
    maximum = whole(source, "spec.maxReplicas")
    version, word, name = (text(source, f"spec.scaleTargetRef.{one}") for one in ("apiVersion", "kind", "name"))
    manifest = kind_of_manifest(version, word)
    own = {f"{one.kind.partition('/')[0]}/{one.manifest}": one.kind for one in around.scalables.values()}
    scaled_kind = own.get(manifest, manifest)
    key = name_key(scaled_kind, _namespace(source), name) if scaled_kind in _SCALED | around.scalables.keys() else ""
    declaration = Declaration(
        kind=kind, replicas=0, unit=EMPTY, fixed=_count(kind), target=key, maximum=maximum if key else 0
    )
    return Wish(declaration, prune({"spec.maxReplicas": maximum, "spec.scaleTargetRef": f"{manifest}/{name}"}))


def _plain(kind: str, unit: ResourceList, fields: Mapping[str, Any]) -> Wish:
    return Wish(Declaration(kind=kind, replicas=1, unit=unit, fixed=_count(kind)), prune(fields))


def _replicated(kind: str, source: Object, around: Surroundings, scalable: Scalable) -> Wish:
    replicas = whole(source, scalable.replicas, 1)
    return _templated(kind, source, around, scalable.template, replicas, fields={scalable.replicas: replicas})


_ROLLING = {"apps/deployments", "apps/daemonsets"}


def _rolled(declaration: Declaration, source: Object, before: Declaration | None, *, changing: bool) -> Declaration:
    # More than one ReplicaSet is active, or the controller has not yet looked at a generation that changed more than
    # the replicas. With nothing known of earlier, a generation that it has not looked at counts as such a change.
    status = section(source, "status")
    if declaration.kind == "apps/daemonsets":
        behind = whole(status, "updatedNumberScheduled") < whole(status, "currentNumberScheduled")
    else:
        behind = whole(status, "replicas") > whole(status, "updatedReplicas")
    if before is None:
        changed = whole(source, "metadata.generation") > 1
    else:
        changed = before.rolling or before.template != declaration.template
    return replace(declaration, rolling=behind or changing or (changed and _unseen(source)))


def _unseen(source: Object) -> bool:
    generation = optional_whole(source, "metadata.generation")
    return generation is None or whole(source, "status.observedGeneration") < generation


_TEMPLATES = {
    "apps/deployments": "spec.template",
    "apps/replicasets": "spec.template",
    STATEFUL_SET: "spec.template",
    "apps/daemonsets": "spec.template",
    "batch/jobs": "spec.template",
    "batch/cronjobs": "spec.jobTemplate.spec.template",
    "core/replicationcontrollers": "spec.template",
}

_SCALED = {"apps/deployments", "apps/replicasets", STATEFUL_SET, "core/replicationcontrollers"}

# The DaemonSet says its generation alone; its controller takes the label for as good as the revision's (IsPodUpdated).
_REVISION_LABELS = {"StatefulSet": "controller-revision-hash", "DaemonSet": "pod-template-generation"}

_Make = Callable[[str, Object, Surroundings], Wish]
_WISHES: Mapping[str, _Make] = {
    "apps/deployments": _deployment,
    "apps/replicasets": _replica_set,
    STATEFUL_SET: _stateful_set,
    "apps/daemonsets": _daemon_set,
    "batch/jobs": _job,
    "batch/cronjobs": _cron_job,
    "core/replicationcontrollers": _replica_set,
    "core/pods": _pod,
    CLAIM: _claim,
    "core/services": _service,
    "resource.k8s.io/resourceclaims": _device_claim,
    AUTOSCALER: _autoscaler,
}
