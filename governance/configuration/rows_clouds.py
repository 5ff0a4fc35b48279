"""Accounts, subscriptions and their bindings become rows: one scope each, and a part of it for each binding."""

from __future__ import annotations

from itertools import chain

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from governance.configuration.binding import Bound, Tree, settle
from governance.configuration.holding import held, refuse_held
from governance.configuration.specs_clouds import AwsAccount, AzureSubscription, CloudBinding
from governance.configuration.writing import Writing
from governance.quota.tables import Binding, Charge, Scope

CLOUDS = ("aws", "azure")


def write(writing: Writing) -> None:
    """Make the scopes of clouds and their bindings as wanted."""
    session, wanted = writing.session, writing.wanted
    accounts = {name: ("aws", one.account, one.labels) for name, one in wanted.specs(AwsAccount).items()}
    subscriptions = {
        name: ("azure", one.subscription, one.labels) for name, one in wanted.specs(AzureSubscription).items()
    }
    rows = {one.name: one for one in session.exec(select(Scope).where(col(Scope.kind).in_(CLOUDS)))}
    named = [*accounts.values(), *subscriptions.values()]
    for kind, scope, labels in named:
        row = rows.get(scope) or Scope(name=scope, kind=kind, mode="enforce")
        row.labels = labels
        session.add(row)
    session.flush()
    tree = Tree.read(session)
    here = select(Binding).where(col(Binding.scope).in_(select(Scope.name).where(col(Scope.kind).in_(CLOUDS))))
    present = {(one.scope, one.name): one for one in session.exec(here.with_for_update())}
    kept = set()
    for name, binding in wanted.specs(CloudBinding).items():
        scope = accounts[binding.account][1] if binding.account else subscriptions[str(binding.subscription)][1]
        part = present.get((scope, name)) or Binding(scope=scope, name=name)
        part.labels = binding.part()
        settle(part, Bound(binding.project, binding.exempt), tree, writing.revision)
        session.add(part)
        kept.add((scope, name))
    gone = {scope: rows[scope] for scope in sorted(rows.keys() - {one[1] for one in named})}
    unbound = sorted(present.keys() - kept)
    kept_by = [
        *(held(session, f"account {scope}", col(Charge.scope) == scope) for scope in gone),
        *(held(session, f"binding {name}", col(Charge.scope) == scope, _in_part(name)) for scope, name in unbound),
    ]
    refuse_held(list(chain.from_iterable(kept_by)))
    for key in unbound:
        session.delete(present[key])
    session.flush()
    for row in gone.values():
        session.delete(row)
    session.flush()


def _in_part(name: str) -> ColumnElement[bool]:
    return col(Charge.native_id).startswith(f"{name}/")
