"""Clusters and namespace bindings become rows; a namespace that the watch sees later is bound by the same rules.

A binding that names a namespace beats one that selects it. Where several selectors match and do not agree, the
namespace is not bound, so its requests are denied until the manifests say clearly who pays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, col, select

from governance.configuration.binding import Bound, Tree, settle
from governance.configuration.in_force import manifests_at, revision_in_force
from governance.configuration.specs import Cluster as ClusterSpec
from governance.configuration.specs import NamespaceBinding, Selector
from governance.configuration.writing import Writing
from governance.quota.limits import move
from governance.quota.tables import Binding, Scope


def write(writing: Writing) -> None:
    """Make clusters and the bindings of every known namespace as wanted."""
    session = writing.session
    wanted = writing.wanted.specs(ClusterSpec)
    rows = {one.name: one for one in session.exec(select(Scope).where(Scope.kind == "kubernetes"))}
    for name, cluster in wanted.items():
        row = rows.get(name) or Scope(name=name)
        row.labels = cluster.labels
        session.add(row)
    session.flush()
    bindings = writing.wanted.specs(NamespaceBinding)
    _add_named(session, bindings.values())
    _bind_all(session, bindings, writing.revision)
    for name in rows.keys() - wanted.keys():
        session.execute(delete(Binding).where(col(Binding.scope) == name))
        session.delete(rows[name])
    session.flush()


def see_namespace(session: Session, cluster: str, name: str, labels: Mapping[str, str], now: datetime) -> Binding:
    """Note a namespace with the labels that it has now, and bind it by the configuration in force.

    For the watch: it calls this in a transaction of its own whenever a namespace appears or its labels change. Where
    another project pays from now on, the namespace's charges follow.
    """
    row = session.get(Binding, (cluster, name), with_for_update=True) or Binding(scope=cluster, name=name)
    row.labels = dict(labels)
    paid_by = (row.path, row.exempt, row.autoscaling)
    bindings = manifests_at(session, {"NamespaceBinding": NamespaceBinding}).specs(NamespaceBinding)
    settle(row, bound_to(bindings, cluster, name, labels), Tree.read(session), revision_in_force(session))
    session.add(row)
    session.flush()
    if (row.path, row.exempt, row.autoscaling) != paid_by:
        move(session, now)
    return row


def bound_to(bindings: Mapping[str, NamespaceBinding], cluster: str, name: str, labels: Mapping[str, str]) -> Bound:
    """Who pays for this namespace."""
    here = [one for one in bindings.values() if one.cluster == cluster]
    for one in here:
        if name in one.namespaces:
            return Bound(one.project, one.exempt)
    labelled = {**labels, "kubernetes.io/metadata.name": name}  # Kubernetes sets it on every namespace
    answers = {Bound(one.project, one.exempt) for one in here if one.selector and matches(one.selector, labelled)}
    return answers.pop() if len(answers) == 1 else Bound()


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches. As in apimachinery's `labels.Selector`, NotIn matches what is absent."""
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    for one in selector.match_expressions:
        value = labels.get(one.key)
        holds = {
            "In": value is not None and value in one.values,
            "NotIn": value is None or value not in one.values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[one.operator]
        if not holds:
            return False
    return True


def _add_named(session: Session, bindings: Iterable[NamespaceBinding]) -> None:
    """A namespace that is named is known before the watch sees it."""
    known = set(session.exec(select(Binding.scope, Binding.name)).all())
    for one in bindings:
        for name in one.namespaces:
            if (one.cluster, name) not in known:
                session.add(Binding(scope=one.cluster, name=name))
    session.flush()


def _bind_all(session: Session, bindings: Mapping[str, NamespaceBinding], revision: int) -> None:
    tree = Tree.read(session)
    clusters = select(Scope.name).where(Scope.kind == "kubernetes")
    here = select(Binding).where(col(Binding.scope).in_(clusters))
    rows = session.exec(here.order_by(Binding.scope, Binding.name).with_for_update())
    for row in rows.all():
        settle(row, bound_to(bindings, row.scope, row.name, row.labels), tree, revision)
        session.add(row)
    session.flush()
