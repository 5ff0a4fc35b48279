"""The watch on a cluster that tells what the test says, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from governance import clock
from governance.admission.model import Request
from governance.audit.tables import AuditEvent
from governance.change.tables import ChangeRequest
from governance.db.session import reading, transaction
from governance.demo.cluster import RecordedCluster
from governance.demo.recording import Scene, Told
from governance.errors import ClusterUnavailable
from governance.identity.people import person_by_name, principal_of
from governance.operations.clusters import standing
from governance.operations.rebuild import rebuild
from governance.quota.model import AUTOSCALER, CLAIM, STATEFUL_SET
from governance.quota.tables import Binding, Scope
from governance.quota.totals import differences
from tests.admission.conftest import CLUSTER, GPU, Hospital, approve, create, hospital, policy, scale
from tests.parts.process import wait_until
from tests.webhooks.kubernetes.samples import AROUND, Json, container, deployment, pod_spec
from webhooks.kubernetes import watch as watching
from webhooks.kubernetes.around import Around
from webhooks.kubernetes.cluster import Listing
from webhooks.kubernetes.footprint import declaration_of
from webhooks.kubernetes.watch import Follower, keep_following

__all__ = ["hospital", "policy"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker looks more often: what it waits for here happens at once."""
    for name, seconds in {"_RETRY_S": 0.05, "_RENEW_EVERY_S": 0.2}.items():
        monkeypatch.setattr(watching, name, seconds)


@contextmanager
def following(hospital: Hospital, cluster: RecordedCluster) -> Iterator[None]:
    """Follow this cluster as the worker does."""
    stop = threading.Event()
    around = Around(clock.now)
    follower = Follower(hospital.engine, cluster, CLUSTER, around)
    thread = threading.Thread(target=keep_following, args=(follower, "tests", stop))
    thread.start()
    around.keep(cluster, stop)
    try:
        yield
    finally:
        stop.set()
        thread.join()


def ct_train(replicas: int, version: int = 1, uid: str = "") -> Json:
    """A Deployment of pods with one GPU each, as the API server has it."""
    amounts = {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}
    resources = {"requests": amounts, "limits": amounts}
    template = pod_spec(containers=[container(resources=resources)])
    meta: Json = {"name": "ct-train", "namespace": "ct-training", "uid": uid, "resourceVersion": str(version)}
    return deployment(replicas, template=template, **meta)


def wanted(replicas: int) -> Request:
    """The wish to create it."""
    declaration = declaration_of("apps/deployments", ct_train(replicas), AROUND)
    assert declaration is not None
    return create(declaration)


def tell(cluster: RecordedCluster, request: Request, version: int, replicas: int, change: str = "ADDED") -> None:
    """Let the cluster tell of it."""
    found = ct_train(replicas, version, request.object_uid)
    cluster.tell(Scene(None, (Told("apps/deployments", change, found),)))


def relisted(hospital: Hospital) -> bool:
    with reading(hospital.engine) as session:
        return session.get_one(Scope, CLUSTER).relisted_at is not None


def forget(hospital: Hospital) -> None:
    """That the cluster was ever listed, so that a test sees the next time."""
    with transaction(hospital.engine) as session:
        session.get_one(Scope, CLUSTER).relisted_at = None


def settled(hospital: Hospital) -> list[tuple[str, Any]]:
    """What the audit log says became of grants: the action, and the state of the change after."""
    with reading(hospital.engine) as session:
        events = session.scalars(select(AuditEvent).where(col(AuditEvent.actor) == "governance"))
        return [(one.action, one.after["state"]) for one in events if one.after is not None]


@pytest.mark.parametrize(("seen", "told"), [(20, ("change.finish", "closed")), (5, ("change.give_back", "approved"))])
def test_what_becomes_of_a_grant_stands_in_the_audit_log(hospital: Hospital, seen: int, told: tuple[str, str]) -> None:
    made = wanted(2)
    assert hospital.ask(made).allowed
    wish = scale(made, 20)
    approve(hospital, hospital.ask(wish))
    assert hospital.ask(wish).allowed
    cluster = RecordedCluster()
    tell(cluster, made, 1, 2)
    with following(hospital, cluster):
        wait_until(lambda: relisted(hospital), "everything is charged")
        tell(cluster, made, 2, seen, "MODIFIED")
        wait_until(lambda: settled(hospital), "the grant is settled")
    assert settled(hospital) == [told]
    with reading(hospital.engine) as session:
        assert session.scalars(select(col(ChangeRequest.state))).all() == [told[1]]


def scaler(version: int, maximum: int, name: str = "ct-train") -> Json:
    """An autoscaler of a Deployment."""
    meta = {"name": "ct", "namespace": "ct-training", "uid": "hpa", "resourceVersion": str(version)}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta,
        "spec": {"maxReplicas": maximum, "scaleTargetRef": target},
    }


def test_an_autoscaler_is_followed_from_its_list_until_it_is_deleted(hospital: Hospital) -> None:
    with transaction(hospital.engine) as session:
        session.execute(update(Binding).values(autoscaling="maximum"))
    cluster = RecordedCluster()
    tell(cluster, wanted(2), 1, 2)

    def told(change: str, source: Json) -> None:
        cluster.tell(Scene(None, (Told(AUTOSCALER, change, source),)))

    def charges(gpus: int) -> None:
        wait_until(lambda: hospital.used("radiology", GPU) == gpus, f"{gpus} are charged")

    told("ADDED", scaler(2, 9))
    with following(hospital, cluster):
        charges(9)
        told("MODIFIED", scaler(3, 12))
        charges(12)
        told("MODIFIED", scaler(4, 12, "another"))
        charges(2)
        told("MODIFIED", scaler(5, 7))
        charges(7)
        told("DELETED", scaler(6, 7))
        charges(2)


def test_a_stateful_sets_claims_are_followed_by_their_names(hospital: Hospital) -> None:
    requested = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}

    def meta(name: str, version: int) -> Json:
        return {"name": name, "namespace": "ct-training", "uid": name, "resourceVersion": str(version)}

    def claim(name: str, version: int) -> Json:
        return {"kind": "PersistentVolumeClaim", "metadata": meta(name, version), "spec": requested}

    spec = {
        "replicas": 3,
        "template": {"spec": pod_spec()},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": requested}],
    }
    store = {"kind": "StatefulSet", "metadata": meta("store", 1), "spec": spec}
    cluster = RecordedCluster()

    def told(kind: str, change: str, source: Json) -> None:
        cluster.tell(Scene(None, (Told(kind, change, source),)))

    def charges(gibibytes: int) -> None:
        stored = gibibytes * 2**30
        wait_until(lambda: hospital.used("radiology", "requests.storage") == stored, f"{gibibytes} GiB are charged")

    told(STATEFUL_SET, "ADDED", store)
    told(CLAIM, "ADDED", claim("data-store-0", 2))
    with following(hospital, cluster):
        wait_until(lambda: relisted(hospital), "everything is charged")
        charges(3)
        told(CLAIM, "ADDED", claim("data-another-0", 3))
        charges(4)
        told(CLAIM, "ADDED", claim("data-store-1", 4))
        told(STATEFUL_SET, "DELETED", store | {"metadata": meta("store", 5)})
        charges(3)
        told(STATEFUL_SET, "ADDED", store | {"metadata": {**meta("store", 6), "uid": "again"}})
        charges(4)


class Reserved(RecordedCluster):
    """A cluster that does not let its nodes be read, until it does."""

    open = False
    refused = 0

    def list(self, path: str) -> Listing:
        if path == "/api/v1/nodes" and not self.open:
            self.refused += 1
            raise ClusterUnavailable("The API server answered 403 Forbidden.")
        return super().list(path)


def test_nothing_is_charged_before_everything_is_known_that_it_depends_on(hospital: Hospital) -> None:
    cluster = Reserved()
    tell(cluster, wanted(2), 1, 2)
    with following(hospital, cluster), reading(hospital.engine) as session:
        wait_until(lambda: cluster.refused > 1, "the nodes are asked for again")
        assert session.get_one(Scope, CLUSTER).writer_epoch == 0
        cluster.open = True
        wait_until(lambda: relisted(hospital), "everything is charged")
    assert hospital.used("radiology", GPU) == 2


def test_what_a_list_holds_and_nobody_understands_stays_charged(hospital: Hospital) -> None:
    made = wanted(2)
    cluster = RecordedCluster()
    tell(cluster, made, 1, 2)
    with following(hospital, cluster):
        wait_until(lambda: relisted(hospital), "everything is charged")
    strange = ct_train(2, 2, made.object_uid)
    strange["spec"]["replicas"] = "many"
    cluster.tell(Scene(None, (Told("apps/deployments", "MODIFIED", strange),)))
    forget(hospital)
    with following(hospital, cluster):
        wait_until(lambda: relisted(hospital), "everything is listed again")
    assert hospital.used("radiology", GPU) == 2


def test_after_a_rebuild_the_cluster_observes_until_everything_is_charged_and_then_enforces(
    hospital: Hospital,
) -> None:
    made, gone = wanted(2), wanted(3)
    for request in (made, gone):
        assert hospital.ask(request).allowed
    cluster = RecordedCluster()
    tell(cluster, made, 900, 2)
    tell(cluster, gone, 901, 3)
    with following(hospital, cluster):
        wait_until(lambda: relisted(hospital), "everything is charged")
    restored = RecordedCluster()  # from a backup in which there was one of them, smaller
    tell(restored, made, 20, 1)
    with reading(hospital.engine) as session:
        sato = principal_of(session, person_by_name(session, "sato"), clock.now())
    with transaction(hospital.engine) as session:
        assert rebuild(session, CLUSTER, "etcd was restored.", sato).standing.mode == "observe"
    assert hospital.ask(scale(made, 40)).allowed
    with following(hospital, restored):
        wait_until(lambda: relisted(hospital), "everything is charged anew")
    with reading(hospital.engine) as session:
        assert (standing(session, CLUSTER).mode, differences(session)) == ("enforce", [])
    assert hospital.used("radiology", GPU) == 1  # what the restored cluster has


def test_a_worker_that_follows_begins_anew_by_itself_after_a_rebuild(hospital: Hospital) -> None:
    made = wanted(2)
    assert hospital.ask(made).allowed
    cluster = RecordedCluster()
    tell(cluster, made, 1, 2)
    with following(hospital, cluster):
        wait_until(lambda: relisted(hospital), "everything is charged")
        with transaction(hospital.engine) as session:
            sato = principal_of(session, person_by_name(session, "sato"), clock.now())
            assert rebuild(session, CLUSTER, "The database was restored.", sato).standing.mode == "observe"
        wait_until(lambda: relisted(hospital), "everything is charged anew")
    with reading(hospital.engine) as session:
        found = standing(session, CLUSTER)
    assert (found.mode, found.epoch) == ("enforce", 2)
    assert hospital.used("radiology", GPU) == 2
