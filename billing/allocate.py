"""Allocating a month: every line to who pays for it, parts that sum to what the lines say, as one run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Engine, insert
from sqlmodel import Session, col, select

from billing import engine as bill
from billing.allocation import EXACT, NOTHING, Posting, Shares, corrections, merged, split, totals
from billing.exposure import spent_by_node
from billing.inputs import files_of, links_of, resources_of
from billing.months import closed_months, corrected_in
from billing.placing import BINDING, CHARGE, RULE, TAG, BoundAccount, Placing, grouped, told
from billing.store import Store
from billing.tables import AllocationRun, PostingRow, Told
from governance.budget.spend import report
from governance.configuration.in_force import manifests_at, revision_in_force
from governance.configuration.specs import Project, Spec
from governance.configuration.specs_billing import AllocationRule
from governance.configuration.specs_clouds import AwsAccount, AzureSubscription, CloudBinding
from governance.configuration.writing import node_ids, paths
from governance.db.session import reading, transaction
from governance.db.types import new_id
from governance.errors import GovernanceError
from governance.identity.tables import Node
from governance.quota.tables import Charge
from governance.units import Period

_KINDS: dict[str, type[Spec]] = {
    "Project": Project,
    "AllocationRule": AllocationRule,
    "CloudBinding": CloudBinding,
    "AwsAccount": AwsAccount,
    "AzureSubscription": AzureSubscription,
}


_RETIRED = " (retired)"


class Unbalanced(GovernanceError):
    """What was allocated is not what the lines say. It never may happen, so nothing is written when it does."""

    title = "The allocation does not balance"


@dataclass(frozen=True, slots=True)
class Way:
    """By what a month is allocated: rules and bindings, and the tree with each name's way up. `revision`: of the
    configuration that says so."""

    revision: int
    rules: Mapping[str, AllocationRule]
    bindings: Sequence[tuple[BoundAccount, str | None]]
    tree: Mapping[str, Sequence[str]]
    projects: Sequence[str]


@dataclass(frozen=True, slots=True)
class Lines:
    """The files of a month's lines, and what is needed to find the charges that they settle."""

    files: Sequence[str]
    links: Any
    payers: Mapping[str, str | None]  # by charge: the project's id
    ways: Mapping[str, Sequence[str]]  # of these projects, as their charges have them


def allocate(database: Engine, store: Store, period: Period, now: datetime) -> UUID | None:
    """Allocate an open month anew from the lines in force, with what closed months before it are corrected by, and
    report to budgets what was spent.

    Returns:
        the new run; None if it is closed, or nothing is other than in the run in force.

    Raises:
        Unbalanced: the parts do not sum to the whole.
    """
    with reading(database) as session:
        closed = closed_months(session)
        if str(period) in closed:
            return None
        lines = lines_of(session, period)
        way = _with_retired(session, _way(session), lines)
        late = [(one, lines_of(session, Period.parse(one))) for one in corrected_in(session, period)]
        ways = {one: _with_retired(session, way_of(session, closed[one]), of_it) for one, of_it in late}
        settled = {one: _charged(session, one) for one, _ in late}
    said, postings = _reckon(store, way, lines)
    for one, of_it in late:
        if settled[one].files != list(of_it.files):
            _, again = _reckon(store, ways[one], of_it)
            postings += corrections(again, settled[one].postings, one)
    corrects = {one: list(of_it.files) for one, of_it in late}
    tree = _tree(way, ways.values(), postings)
    run = AllocationRun(
        period=str(period),
        revision=way.revision,
        files=list(lines.files),
        tree=tree,
        corrects=corrects,
        digest=digest(period, lines.files, said, postings),
        at=now,
    )
    with transaction(database) as session:
        report(session, period, spent_by_node(session, period, postings, tree), now)
        before = run_in_force(session, str(period))
        if before is not None and (before.digest, before.tree) == (run.digest, run.tree):
            return None
        session.add(run)
        session.flush()
        _store(session, run.id, said, postings)
        return run.id


def run_in_force(session: Session, period: str) -> AllocationRun | None:
    """The newest allocation of a month; None: none was made."""
    newest = select(AllocationRun).where(AllocationRun.period == period).order_by(col(AllocationRun.id).desc())
    return session.exec(newest.limit(1)).first()


def postings_of(session: Session, run: UUID) -> list[Posting]:
    """The postings of a run."""
    rows = session.exec(select(PostingRow).where(PostingRow.run_id == run))
    return [
        Posting(
            node=str(one.node_id) if one.node_id else None,
            charge=str(one.charge_id) if one.charge_id else None,
            **{name: getattr(one, name) for name in _COPIED},
        )
        for one in rows
    ]


_COPIED = (
    "rule",
    "issuer",
    "provider",
    "currency",
    "service",
    "category",
    "lines",
    "billed",
    "effective",
    "of_period",
)


def digest(period: Period, files: Sequence[str], said: Sequence[Mapping[str, Any]], postings: Sequence[Posting]) -> str:
    """SHA-256 over what went in and what came out, in an order of its own: equal for equal allocations."""
    known = [[*one.key, one.lines, f"{one.billed:f}", f"{one.effective:f}"] for one in merged(postings)]
    heard = [[*(str(value) for value in one.values())] for one in said]
    return hashlib.sha256(orjson.dumps([str(period), list(files), heard, known])).hexdigest()


@dataclass(frozen=True, slots=True)
class _Charged:
    """What was charged for a closed month so far, corrections included, and for which files."""

    files: list[str]
    postings: Sequence[Posting]


def _charged(session: Session, period: str) -> _Charged:
    closed = closed_months(session)
    runs = {one: session.get_one(AllocationRun, run) for one, run in sorted(closed.items())}
    files = list(runs[period].files)
    found = [one for one in postings_of(session, runs[period].id) if not one.of_period]
    for later in (runs[one] for one in runs if one > period):
        if period in later.corrects:
            files = later.corrects[period]
            found += [one for one in postings_of(session, later.id) if one.of_period == period]
    return _Charged(files, found)


def _way(session: Session) -> Way:
    """By what an open month is allocated: the configuration in force."""
    ways, names = paths(session), node_ids(session)
    return _made(session, revision_in_force(session), {name: ways[id_] for name, id_ in names.items()}, None)


def way_of(session: Session, run: UUID) -> Way:
    """By what a run was made; late lines of a closed month follow the rules and the tree that held for it."""
    pinned = session.get_one(AllocationRun, run)
    return _made(session, pinned.revision, pinned.tree, pinned.revision)


def _made(session: Session, revision: int, tree: Mapping[str, Sequence[str]], at: int | None) -> Way:
    manifests = manifests_at(session, _KINDS, at)
    accounts = {name: ("aws", one.account) for name, one in manifests.specs(AwsAccount).items()}
    subscriptions = {name: ("azure", one.subscription) for name, one in manifests.specs(AzureSubscription).items()}
    rules = sorted(manifests.specs(AllocationRule).items(), key=lambda one: (one[1].order, one[0]))
    bound = []
    for name, one in manifests.specs(CloudBinding).items():
        provider, account = accounts[one.account] if one.account else subscriptions[str(one.subscription)]
        bound.append((BoundAccount(name, provider, account, one.part()), one.project))
    return Way(revision, dict(rules), bound, tree, sorted(manifests.specs(Project)))


def lines_of(session: Session, period: Period) -> Lines:
    """The lines of a month that are in force."""
    resources = resources_of(session, period)
    charges = session.exec(select(Charge).where(col(Charge.id).in_({one.charge_id for one in resources}))).all()
    payers = {str(one.id): str(one.project_id) if one.project_id else None for one in charges}
    ways = {str(one.project_id): one.path for one in charges if one.project_id}
    return Lines(files_of(session, period), links_of(resources), payers, ways)


def _with_retired(session: Session, way: Way, *lines: Lines) -> Way:
    """With the projects that are no more and still pay, for what they launched while they were there."""
    known = {one[0] for one in way.tree.values()}
    ways = {node: path for one in lines for node, path in one.ways.items() if node not in known}
    if not ways:
        return way
    rows = session.exec(select(Node.id, Node.name).where(col(Node.id).in_([UUID(one) for one in ways])))
    return replace(way, tree={**way.tree, **{f"{name}{_RETIRED}": ways[str(id_)] for id_, name in rows}})


def _tree(way: Way, earlier: Iterable[Way], postings: Iterable[Posting]) -> dict[str, Any]:
    """The month's tree, with those that pay for corrections only: they were there when their month was closed."""
    tree = dict(way.tree)
    owing = {one.node for one in postings} - {way[0] for way in tree.values()}
    for one in earlier:
        for name, path in one.tree.items():
            if path[0] in owing:
                owing.remove(path[0])
                tree[f"{name.removesuffix(_RETIRED)}{_RETIRED}"] = path
    return tree


def _reckon(store: Store, way: Way, lines: Lines) -> tuple[list[dict[str, Any]], list[Posting]]:
    """What the lines say, and what is made of them. Raises Unbalanced."""
    if not lines.files:
        return [], []
    backend = bill.connect()
    try:
        table = bill.read_lines(backend, [store.file(one) for one in lines.files])
        said = told(backend, table)
        groups = grouped(backend, table, placing_of(way, lines))
    finally:
        backend.disconnect()
    postings = merged(_postings(groups, way, lines))
    _balance(said, postings)
    return said, postings


def placing_of(way: Way, lines: Lines) -> Placing:
    """By what these lines find their place."""
    return Placing(lines.links, way.rules, [one for one, _ in way.bindings], way.projects)


def _postings(groups: Iterable[Mapping[str, Any]], way: Way, lines: Lines) -> list[Posting]:
    own: list[Posting] = []
    shared: list[tuple[Posting, Shares]] = []
    bound = {binding.name: project for binding, project in way.bindings}
    for one in groups:
        how, place = one["how"], one["place"]
        alike = {name: one[name] for name in _COPIED if name in one}
        if how == CHARGE:
            own.append(Posting(node=lines.payers[place], charge=place, rule=CHARGE, **alike))
            continue
        said = f"{how if how == BINDING else RULE} {place}" if how else ""
        posting = Posting(node=None, charge=None, rule=said, **alike)
        rule = way.rules[place] if how == RULE else None
        if rule is not None and rule.split is not None:
            shared.append((posting, _shares(said, rule, way)))
            continue
        project = one["project"] if how == TAG else bound[place] if how == BINDING else rule.project if rule else None
        own.append(Posting(node=way.tree[project][0] if project else None, charge=None, rule=said, **alike))
    return split(own, shared)


def _shares(name: str, rule: AllocationRule, way: Way) -> Shares:
    assert rule.split is not None  # noqa: S101  (the caller has looked)
    nodes = [way.tree[one.project][0] for one in rule.split.among]
    if rule.split.method == "proportional":
        return Shares(name, nodes, None)
    return Shares(name, nodes, [Decimal(one.weight or 1) for one in rule.split.among])


def _balance(said: Iterable[Mapping[str, Any]], postings: Sequence[Posting]) -> None:
    whole: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for one in said:
        billed, effective = whole.get((one["issuer"], one["currency"]), (NOTHING, NOTHING))
        sums = EXACT.add(billed, one["billed"]), EXACT.add(effective, one["effective"])
        whole[one["issuer"], one["currency"]] = sums
    parts = totals(postings)
    if parts != whole:
        wrong = sorted(key for key in parts.keys() | whole.keys() if parts.get(key) != whole.get(key))
        raise Unbalanced(f"The parts do not sum to the whole for {wrong[0][0]}, {wrong[0][1]}.")


def _store(session: Session, run: UUID, said: Sequence[Mapping[str, Any]], postings: Sequence[Posting]) -> None:
    if said:
        session.execute(insert(Told), [{"run_id": run, **one} for one in said])
    rows = [
        {
            "id": new_id(),
            "run_id": run,
            "node_id": UUID(one.node) if one.node else None,
            "charge_id": UUID(one.charge) if one.charge else None,
            **{name: getattr(one, name) for name in _COPIED},
        }
        for one in postings
    ]
    if rows:
        session.execute(insert(PostingRow), rows)
